"""The audit log and the record over REST."""

from typing import Annotated, Any

import msgspec

from mcp_platform.features.audit.actions import ACTIONS
from mcp_platform.features.audit.errors import QUERY_INVALID, RECORD_UNAVAILABLE, SEARCH_TOO_WIDE
from mcp_platform.features.audit.query import MAX_CHARACTERS
from mcp_platform.features.audit.reading import ACTIONS as READING
from mcp_platform.store.route import Listing, Moment, Route, by_name

_OF = by_name((*ACTIONS, *READING))


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


class RecordsOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of them."""

    query: Annotated[str, msgspec.Meta(max_length=MAX_CHARACTERS)] | None = None
    """As `mcp-platform audit search` takes it: `actor:ana tool:git* since:24h`. The newest come first."""


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
    Route("GET", "/audit/verification", _OF["audit.verify"], Verified),
)
