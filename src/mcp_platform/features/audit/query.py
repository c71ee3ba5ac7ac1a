"""The query language of `audit search`, `export` and `tail`: parsed into a value, and judged against one row. Pure.

Example: `actor:ana tool:github/* outcome:refused,error since:24h agent:-ci "two words"`. `-agent:ci` means the same as
`agent:-ci`, which no command line takes for an option.
"""

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.audit.errors import QUERY_INVALID
from mcp_platform.features.audit.model import IN_FULL_TEXT, Row

MAX_CHARACTERS: Final = 2000
MAX_TERMS: Final = 32
MAX_VALUES: Final = 32
FIELDS: Final = {
    "actor": "principal",
    "address": "address",
    "agent": "agent",
    "arguments": "arguments",
    "decision": "decision",
    "definition": "definition",
    "endpoint": "endpoint",
    "error": "error",
    "key": "credential",
    "kind": "kind",
    "method": "method",
    "outcome": "outcome",
    "result": "result",
    "revision": "revision",
    "rule": "rule",
    "server": "server",
    "session": "session",
    "tag": "tag",
    "target": "target",
    "tenant": "tenant",
    "tool": "tool",
    "trace": "trace",
}
"""What a query calls a field → what the row calls it."""
ALIASES: Final = {"action": "tag", "credential": "key", "ip": "address", "principal": "actor"}
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_PART: Final = re.compile(r'(-?)(?:([A-Za-z_]+):)?(?:"([^"]*)"|([^\s"]+))(?=\s|$)')
NS: Final = 1_000_000_000


class Term(msgspec.Struct, frozen=True):
    """One condition: the field has one of the values, or (negated) none of them."""

    field: str
    """As the row calls it."""
    values: tuple[str, ...]
    """`*` in a value stands for any characters."""
    negated: bool = False


class Query(msgspec.Struct, frozen=True):
    """All of it must hold."""

    terms: tuple[Term, ...] = ()
    words: tuple[str, ...] = ()
    """Each stands somewhere in a name of the row."""
    since: int | None = None
    """Nanoseconds since the epoch, itself included."""
    until: int | None = None
    """Nanoseconds since the epoch, itself not included."""


def parse(text: str, now: float) -> Query:
    """Raises Fault(query_invalid), which names our fields and never what was written."""
    if len(text) > MAX_CHARACTERS:
        raise Fault(QUERY_INVALID, f"The query is longer than {MAX_CHARACTERS} characters.")
    terms: list[Term] = []
    words: list[str] = []
    times: dict[str, int] = {}
    for number, (minus, name, value) in enumerate(_parts(text), start=1):
        if number > MAX_TERMS:
            raise Fault(QUERY_INVALID, f"The query has more than {MAX_TERMS} parts.")
        if not name:
            if minus:
                raise Fault(QUERY_INVALID, "`-` excludes a field's value, as in agent:-ci; a word cannot be excluded.")
            words.append(value.casefold())
        elif name in ("since", "until"):
            times[name] = moment(value, now)
        else:
            terms += _terms(name, value, negated=bool(minus))
    return Query(tuple(terms), tuple(words), times.get("since"), times.get("until"))


def _parts(text: str) -> list[tuple[str, str, str]]:
    """(minus, field, value) of each part."""
    found, at = [], 0
    for match in _PART.finditer(text):
        if text[at : match.start()].strip():
            break
        quoted = match[3] is not None
        name, value = (match[2] or "").lower(), match[3] if quoted else match[4]
        if not name and not quoted and (":" in value or value.startswith("-")):
            break
        at = match.end()
        minus = match[1]
        if name and not quoted and not minus and value.startswith("-"):
            minus, value = "-", value[1:]
        found.append((minus, name, value))
    if text[at:].strip():
        raise Fault(
            QUERY_INVALID,
            "Part of the query is neither field:value nor a word; put quotes around what holds a space or a colon.",
        )
    return found


def _terms(name: str, value: str, *, negated: bool) -> list[Term]:
    name = ALIASES.get(name, name)
    field = FIELDS.get(name)
    if field is None:
        raise Fault(QUERY_INVALID, f"There is no such field; there are: {', '.join(FIELDS)}, since and until.")
    values = tuple(each for each in value.split(",") if each)
    if not values or len(values) > MAX_VALUES:
        raise Fault(QUERY_INVALID, f"{name}: takes 1 to {MAX_VALUES} values with commas between them.")
    if field == "revision" and not all(each.isascii() and each.isdigit() and len(each) < 19 for each in values):
        raise Fault(QUERY_INVALID, "revision: takes a whole number.")
    if field == "tool" and "/" in value:
        return _server_and_tool(values, negated=negated)
    return [Term(field, values, negated)]


def _server_and_tool(values: tuple[str, ...], *, negated: bool) -> list[Term]:
    """`tool:github/*`: the way roles name tools."""
    server, _, tool = values[0].partition("/")
    parts = [Term(field, (name,), negated) for field, name in (("server", server), ("tool", tool)) if name != "*"]
    if len(values) > 1 or not server or not tool or (negated and len(parts) > 1):
        raise Fault(QUERY_INVALID, "tool:server/tool takes one pair; where excluded, one side of it is `*`.")
    return parts


def moment(text: str, now: float) -> int:
    """Nanoseconds since the epoch for `24h` (ago), `2026-11-22`, or `2026-11-22T10:00[:00][Z|+01:00]` (UTC unless
    it says otherwise). Raises Fault(query_invalid)."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return int((now - int(ago[1]) * _UNITS[ago[2]]) * NS)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Fault(QUERY_INVALID, "since: and until: take 45s, 30m, 24h, 7d or 2w, or a date or time.") from error
    return int(at.replace(tzinfo=at.tzinfo or UTC).timestamp()) * NS + at.microsecond * 1000


def matches(query: Query, row: Row) -> bool:
    """Whether `row` is one that the query asks for."""
    if query.since is not None and row.time < query.since:
        return False
    if query.until is not None and row.time >= query.until:
        return False
    if not all(_holds(term, row) for term in query.terms):
        return False
    return all(
        any(like(f"*{word}*", str(getattr(row, name)).casefold()) for name in IN_FULL_TEXT) for word in query.words
    )


def _holds(term: Term, row: Row) -> bool:
    has = str(getattr(row, term.field))
    # What is empty is like nothing, so `error:*` asks for whatever has an error and `-error:*` for what has none.
    return (has != "" and any(like(value, has) for value in term.values)) is not term.negated


def like(pattern: str, text: str) -> bool:
    """Whether `text` is what `pattern` says; `*` stands for any characters."""
    if "*" not in pattern:
        return pattern == text
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL) is not None
