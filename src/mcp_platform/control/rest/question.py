"""What was asked, read strictly: the query, the body and the path become the parameters of an action. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from mcp_platform.base.errors import INVALID, Fault
from mcp_platform.control.rest.errors import (
    API_BODY_UNEXPECTED,
    API_IDEMPOTENCY,
    API_MEDIA_TYPE,
    STATE_MALFORMED,
    STATE_UNSAID,
)
from mcp_platform.control.rest.state import is_form
from mcp_platform.store.route import Route
from mcp_platform.wire import json_text

MAX_LIMIT = 200
"""Things in one page: an answer stays under some hundred KiB."""
LIMIT = 50
MAX_FIELDS = 16
"""Parameters of one query; no route has more than three."""
MAX_EXACT = float(1 << 53)
"""Above it a float no longer tells whole numbers apart (RFC 8259 §6)."""
_LIMIT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_JSON = re.compile(r'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """One request, read."""

    params: dict[str, object] = field(repr=False)
    """Of the action, from path, query and body."""
    filters: dict[str, object]
    """Path and query without limit and cursor: what a cursor is bound to."""
    limit: int
    cursor: str | None


def read(route: Route, path: Mapping[str, str], query: str, headers: Mapping[str, str], body: bytes) -> Question:
    """Raises Fault(invalid_input, api_*, json_*)."""
    filters: dict[str, object] = {route.names.get(name, name): value for name, value in path.items()}
    asked = _pairs(query)
    limit, cursor = LIMIT, None
    if route.listing is not None:
        limit, cursor = _limit(asked.pop("limit", None)), asked.pop("cursor", None)
    filters |= _filters(route, asked)
    if not all(is_form(headers[name]) for name in ("if-match", "if-none-match") if name in headers):
        raise Fault(STATE_MALFORMED)
    if route.guarded is not None and route.method != "PUT" and "if-match" not in headers:
        raise Fault(STATE_UNSAID)  # what is put may be new, and then has no state
    sent = _body(route, headers, body)
    assert not set(filters) & set(sent), "no body has a field that the path has"
    return Question(params={**filters, **sent}, filters=filters, limit=limit, cursor=cursor)


def _pairs(query: str) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError:  # UnicodeDecodeError is one
        raise Fault(INVALID, "The query is not of the form `name=value&name=value` in UTF-8.") from None
    asked = dict(pairs)
    if len(asked) != len(pairs):
        raise Fault(INVALID, "A parameter of the query stands twice; send it once.")
    return asked


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if _LIMIT.fullmatch(text) is None or int(text) > MAX_LIMIT:
        raise Fault(INVALID, f"`limit` is a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _filters(route: Route, asked: Mapping[str, str]) -> dict[str, object]:
    """Only text is filtered by, so nothing has to be read from text."""
    known = [each.name for each in msgspec.structs.fields(route.query)] if route.query is not None else []
    if not set(asked) <= set(known):
        takes = ", ".join([*known, *(("limit", "cursor") if route.listing is not None else ())]) or "none"
        raise Fault(INVALID, f"The query has a parameter that is not taken here; those taken: {takes}.")
    if route.query is not None:
        _convert(dict(asked), route.query)
    return {route.names.get(name, name): value for name, value in asked.items()}


def _body(route: Route, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    if "idempotency-key" in headers:
        raise Fault(API_IDEMPOTENCY)
    if route.body is None:
        if body:
            raise Fault(API_BODY_UNEXPECTED)
        return {}
    if _JSON.fullmatch(headers.get("content-type", "")) is None:
        raise Fault(API_MEDIA_TYPE)
    sent = _whole(json_text.decode(body))
    if not isinstance(sent, dict):
        raise Fault(INVALID, "The body is a JSON object.")
    known = [each.name for each in msgspec.structs.fields(route.body)]
    if not set(sent) <= set(known):
        raise Fault(INVALID, f"The body has a field that is not taken here; those taken: {', '.join(known)}.")
    _convert(sent, route.body)
    return sent


def _whole(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """`value` with numbers that have no fraction as integers: to JSON Schema 5.0 is one. Its depth is bounded by the
    decoder."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT:
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return {name: _whole(each) for name, each in value.items()} if isinstance(value, dict) else value


def _convert(value: object, kind: type[msgspec.Struct]) -> None:
    try:
        msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        # msgspec names the place and what it expected. Only of a Literal does it repeat what was sent.
        text = str(error)
        place = text.rpartition(" - at ")[2] if " - at " in text else "`$`"
        said = f"One of a few values is expected - at {place}" if text.startswith("Invalid enum value") else text
        raise Fault(INVALID, f"{said}.") from None
    except (OverflowError, ValueError):  # a number with more digits than a float has
        raise Fault(INVALID, "A number is too large.") from None
