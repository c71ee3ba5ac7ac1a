"""Reading the record through control: a page of a search, and the start of following it. Each is itself audited."""

from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from sqlalchemy import select

from mcp_platform.base.errors import INVALID, Fault
from mcp_platform.features.audit import query as language
from mcp_platform.features.audit.model import Row
from mcp_platform.features.audit.present import presented
from mcp_platform.features.audit.query import Query
from mcp_platform.features.audit.search import Span
from mcp_platform.features.identity.tables import PRINCIPALS, principal_names
from mcp_platform.store.action import Action, Change, Context
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_ROWS: Final = 2000
"""Rows in one answer."""
MAX_BYTES: Final = 800_000
"""Bytes of rows in one answer: the CLI's door takes a line of 1 MiB."""
MAX_ACTORS: Final = 1000
"""Principals that one `actor:` may stand for by name."""
MAX_NAMED: Final = 2000
"""Principals whose names are told to whoever follows: about 100 KiB."""


class Reads(Protocol):
    """Who searches the index."""

    async def search(self, query: Query, span: Span, limit: int, actors: dict[str, tuple[str, ...]]) -> list[Row]: ...


class Reach(Protocol):
    """What actions are given of the world outside: here, the index."""

    @property
    def record(self) -> Reads: ...


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One page of a search."""

    query: str = ""
    limit: int = 50
    oldest_first: bool = False
    cursor: str | None = None
    """`next` of the page before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A search, read."""

    query: Query
    span: Span
    limit: int
    actors: dict[str, tuple[str, ...]]


def prepare_search(unit: Unit, params: Search, context: Context) -> Asked:
    if not 0 < params.limit <= MAX_ROWS:
        raise Fault(INVALID, f"limit is a number from 1 to {MAX_ROWS}.")
    query = language.parse(params.query, unit.now)
    span = span_of(query, params.cursor, unit.now, oldest_first=params.oldest_first)
    return Asked(query, span, params.limit, actors_of(unit, query))


def span_of(query: Query, cursor: str | None, now: float, *, oldest_first: bool = False) -> Span:
    """The first page fixes where the search ends, so that what is recorded meanwhile does not make it endless."""
    low = query.since if query.since is not None else 0
    high = query.until if query.until is not None else int((now + 1) * language.NS)
    if cursor is not None:
        at, _, end = cursor.partition(".")
        if not (at.isascii() and at.isdigit() and end.isascii() and end.isdigit() and len(cursor) < 50):
            raise Fault(INVALID, "cursor is `next` of the page before.")
        low, high = (int(at) + 1, int(end)) if oldest_first else (int(end), int(at))
    return Span(max(low, 0), min(high, 1 << 62), oldest_first)


def cursor_after(row: Row, span: Span) -> str:
    """The cursor of the page that goes on behind `row`."""
    return f"{row.time}.{span.high if span.oldest_first else span.low}"


def actors_of(unit: Unit, query: Query) -> dict[str, tuple[str, ...]]:
    """Ids of the principals that the query speaks of by name."""
    asked = {value for term in query.terms if term.field == "principal" for value in term.values}
    found: dict[str, tuple[str, ...]] = {}
    for value in asked:
        here = PRINCIPALS.c.name == value if "*" not in value else PRINCIPALS.c.name.like(value.replace("*", "%"))
        rows = unit.connection.execute(select(PRINCIPALS.c.id).where(here).limit(MAX_ACTORS))
        found[value] = tuple(rows.scalars())
    for word in query.words:
        here = PRINCIPALS.c.name.icontains(word, autoescape=True)
        rows = unit.connection.execute(select(PRINCIPALS.c.id).where(here).limit(MAX_ACTORS))
        found[word] = (*found.get(word, ()), *rows.scalars())
    return found


async def look_search(asked: Asked, reach: Reach) -> tuple[Asked, list[Row]]:
    # One more than asked for: whether there is a next page.
    return asked, await reach.record.search(asked.query, asked.span, asked.limit + 1, asked.actors)


def search(unit: Unit, params: Search, context: Context) -> Change:
    asked, rows = context.found
    names = principal_names(unit, {row.principal for row in rows})
    kept: list[dict[str, object]] = []
    size = 0
    for row in rows[: asked.limit]:
        shown = presented(row, names)
        size += len(msgspec.json.encode(shown))
        if size > MAX_BYTES:
            break
        kept.append(shown)
    more = len(kept) < len(rows)
    return Change(
        result={
            "rows": kept,
            "next": cursor_after(rows[len(kept) - 1], asked.span) if more else None,
            "complete": is_complete(context),
        }
    )


def is_complete(context: Context) -> bool:
    """Whether all that is in the journal is in the index."""
    state = context.observed.get("record")
    return not (isinstance(state, dict) and state.get("behind"))


class Follow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody begins to follow the record."""

    query: str = ""


def follow(unit: Unit, params: Follow, context: Context) -> Change:
    """Who follows reads the journal itself; from here come the names, and the entry in the record."""
    language.parse(params.query, unit.now)
    rows = unit.connection.execute(select(PRINCIPALS.c.id, PRINCIPALS.c.name).limit(MAX_NAMED))
    return Change(result={"principals": {row.id: row.name for row in rows}})


ACTIONS = (
    Action(
        name="audit.search",
        permission=Permission.AUDIT_RECORD_READ,
        audit=Tag.AUDIT_RECORD_SEARCH,
        params=Search,
        gather=prepare_search,
        look=look_search,
        run=search,
        records=("query", "limit", "oldest_first"),
        withholds=("cursor",),
        summary="Searches the record of calls, refusals and changes: one page.",
        reads=True,
    ),
    Action(
        name="audit.follow",
        permission=Permission.AUDIT_RECORD_READ,
        audit=Tag.AUDIT_RECORD_FOLLOW,
        params=Follow,
        run=follow,
        records=("query",),
        summary="Begins to follow the record as it is written, and names the principals in it.",
        reads=True,
    ),
)
