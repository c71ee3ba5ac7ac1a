"""The audit log and the record over REST."""

from typing import Annotated, Any

import msgspec

from mcp_platform.features.audit.actions import ACTIONS
from mcp_platform.features.audit.content import ACTIONS as OPENING
from mcp_platform.features.audit.content import MAX_CHARACTERS as MAX_SOUGHT
from mcp_platform.features.audit.content import MAX_EXAMINED, MAX_FOUND, Excerpt, Unread
from mcp_platform.features.audit.erasure import ACTIONS as ERASING
from mcp_platform.features.audit.errors import QUERY_INVALID, RECORD_UNAVAILABLE, SEARCH_TOO_WIDE
from mcp_platform.features.audit.query import MAX_CHARACTERS
from mcp_platform.features.audit.reading import ACTIONS as READING
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.store.route import Changed, Listing, Moment, Route, by_name

_OF = by_name((*ACTIONS, *READING, *OPENING, *ERASING))


class Verified(msgspec.Struct, frozen=True):
    """What a walk over the audit log of control found."""

    rows: int
    """Rows that fit."""
    intact: bool
    broken_at: int | None
    """Number of the first row that does not fit the one before it."""


class Recorded(msgspec.Struct, frozen=True):
    """A call, a refusal, or something that control did. What does not apply is empty."""

    time: Moment
    kind: str
    actor: str
    """Name of the principal; of what control did, who asked."""
    agent: str
    agent_known: str
    key: str
    session: str
    tenant: str
    address: str
    method: str
    server: str
    tool: str
    decision: str
    rule: str
    outcome: str
    error: str
    latency_us: int
    request_bytes: int
    response_bytes: int
    tag: str
    target: str
    trace: str
    revision: int
    read_only: bool
    definition: str
    arguments: str
    result: str
    detail: Any
    principal: str
    segment: str
    index: int
    endpoint: str
    """Name of the virtual server that was asked; empty for `/mcp`."""


class RecordsOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of them."""

    query: Annotated[str, msgspec.Meta(max_length=MAX_CHARACTERS)] | None = None
    """As `mcp-platform audit search` takes it: `actor:ana tool:git* since:24h`. The newest come first."""


class Opened(Recorded, frozen=True, kw_only=True):
    """A call in whose arguments or result the text stands."""

    found: list[Excerpt]


class ContentsSearched(msgspec.Struct, frozen=True):
    """A part of a search of contents, and how far it came."""

    rows: list[Opened]
    examined: int
    """Calls that were looked into."""
    examines_at_most: int
    """Calls that it was to look into; the part after it begins at `next`."""
    unread: Unread
    """Arguments and results that could not be read, and why."""
    next: str | None
    """`cursor` of the next part; null at the end."""
    complete: bool
    """False while the newest calls are still being taken in."""


class Erased(Changed, frozen=True, kw_only=True):
    """What nobody can read any more."""

    principal: str
    """Id of the principal."""
    erased: bool
    """False where there was no key: nothing was recorded since the last time."""


class Erasure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose arguments and results."""

    principal: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    """Name or id."""


class SoughtContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is looked for, and in which calls. In the body, for a text may be as secret as where it stands."""

    content: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SOUGHT)]
    query: Annotated[str, msgspec.Meta(max_length=MAX_CHARACTERS)] = ""
    """As `mcp-platform audit search` takes it."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_FOUND)] = 50
    """Calls to find."""
    examine: Annotated[int, msgspec.Meta(ge=1, le=MAX_EXAMINED)] = MAX_EXAMINED
    """Calls to look into."""
    oldest_first: bool = False
    cursor: Annotated[str, msgspec.Meta(max_length=50)] | None = None
    """`next` of the part before."""


ROUTES = (
    Route(
        "GET",
        "/audit/records",
        _OF["audit.search"],
        Recorded,
        query=RecordsOf,
        listing=Listing("rows", (), after="cursor", onward="next"),
        refusals=(QUERY_INVALID, RECORD_UNAVAILABLE, SEARCH_TOO_WIDE),
    ),
    Route(
        "POST",
        "/audit/content-search",
        _OF["content.search"],
        ContentsSearched,
        body=SoughtContent,
        example={"content": "invoice 4711", "query": "actor:ana since:24h"},
        refusals=(QUERY_INVALID, RECORD_UNAVAILABLE, SEARCH_TOO_WIDE),
    ),
    Route(
        "POST",
        "/audit/erasures",
        _OF["content.erase"],
        Erased,
        body=Erasure,
        example={"principal": "ana"},
        refusals=(PRINCIPAL_UNKNOWN,),
    ),
    Route("GET", "/audit/verification", _OF["audit.verify"], Verified),
)
