"""MCP servers and their tools over REST."""

from typing import Annotated, Literal

import msgspec

from mcp_platform.features.upstreams.actions import ACTIONS, MAX_CALL_TIMEOUT_S
from mcp_platform.features.upstreams.check import MAX_HEADERS, MAX_VALUE_CHARACTERS, MAX_WORDS
from mcp_platform.features.upstreams.errors import SERVER_EXISTS, SERVER_INVALID, SERVER_UNKNOWN
from mcp_platform.net import upstream_errors as upstream
from mcp_platform.net.client_trust import TRUST_INVALID, Trust
from mcp_platform.store.route import Changed, Listing, Moment, Route, by_name

_OF = by_name(ACTIONS)
SERVER_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,31}$"
ServerName = Annotated[str, msgspec.Meta(pattern=SERVER_PATTERN, max_length=32)]
_Word = Annotated[str, msgspec.Meta(max_length=MAX_VALUE_CHARACTERS)]
_FROM_OUTSIDE = (
    upstream.UPSTREAM_DOWN,
    upstream.UPSTREAM_TIMEOUT,
    upstream.UPSTREAM_LOST,
    upstream.UPSTREAM_GARBAGE,
    upstream.UPSTREAM_TOO_LARGE,
    upstream.UPSTREAM_REFUSED,
    upstream.UPSTREAM_BUSY,
)


class Server(msgspec.Struct, frozen=True):
    """An MCP server behind the platform; its secrets are never shown."""

    name: str
    id: str
    transport: Literal["http", "stdio"]
    url: str | None
    program: str | None
    """Of a server that is a command."""
    shared: bool
    has_credentials: bool
    era: str
    enabled: bool
    tools: int
    """Tools that are approved."""
    created_at: Moment


class ServerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server: a URL with headers, or a command with an environment."""

    name: ServerName
    url: Annotated[str, msgspec.Meta(max_length=2048)] | None = None
    command: Annotated[tuple[_Word, ...], msgspec.Meta(max_length=MAX_WORDS)] = ()
    """The program and its arguments; no shell reads them. It runs as the platform's own user."""
    env: Annotated[dict[str, _Word], msgspec.Meta(max_length=MAX_HEADERS)] = {}
    headers: Annotated[dict[str, _Word], msgspec.Meta(max_length=MAX_HEADERS)] = {}
    cwd: _Word | None = None
    trust: Trust | None = None
    """For https: whom its certificate must come from, which keys it may have, and who we are to it."""
    shared: bool = False
    call_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=MAX_CALL_TIMEOUT_S)] | None = None


class ToolShown(msgspec.Struct, frozen=True):
    """A tool as the server lists it, and the name that agents see."""

    name: str
    exposed: str | None
    skipped: str | None
    """Why agents cannot see it; null where they can."""
    description: str


class ServerAdded(Changed, frozen=True, kw_only=True):
    """The server that was added, and the tools it had at that moment."""

    name: str
    id: str
    transport: Literal["http", "stdio"]
    era: str
    server: dict[str, str]
    """What the server says of itself."""
    tool_count: int
    tools: list[ToolShown]
    skipped_count: int
    skipped: list[ToolShown]
    unreadable_count: int
    isolation: str | None = None
    user: str | None = None
    warnings: list[str]


class ServerRemoved(Changed, frozen=True, kw_only=True):
    """The server that is gone; the names of its tools stay reserved for it."""

    name: str
    removed: bool


class ServerTested(msgspec.Struct, frozen=True):
    """What the server lists now, beside what was approved."""

    name: str
    era: str
    server: dict[str, str]
    ms: float
    tool_count: int
    new: list[str]
    gone: list[str]
    changed: list[str]


class Tool(msgspec.Struct, frozen=True):
    """A tool of a server."""

    server: str
    name: str
    exposed: str | None
    skipped: str | None
    description: str
    approved: bool
    definition_hash: str
    """SHA-256 of the definition in canonical form."""


class ToolsOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose tools."""

    server: ServerName | None = None


ROUTES = (
    Route("GET", "/servers", _OF["server.list"], Server, listing=Listing("servers", ("name",))),
    Route(
        "POST",
        "/servers",
        _OF["server.add"],
        ServerAdded,
        status=201,
        body=ServerBody,
        example={"name": "git", "url": "https://mcp.example.com/mcp", "headers": {"Authorization": "Bearer TOKEN"}},
        refusals=(SERVER_EXISTS, SERVER_INVALID, TRUST_INVALID, *_FROM_OUTSIDE),
    ),
    Route("GET", "/servers/{name}", _OF["server.list"], Server, one="servers", absent=SERVER_UNKNOWN),
    Route(
        "DELETE",
        "/servers/{name}",
        _OF["server.remove"],
        ServerRemoved,
        guarded="/servers/{name}",
        refusals=(SERVER_UNKNOWN,),
    ),
    Route(
        "POST",
        "/servers/{name}/test",
        _OF["server.test"],
        ServerTested,
        refusals=(SERVER_UNKNOWN, *_FROM_OUTSIDE),
    ),
    Route(
        "GET",
        "/tools",
        _OF["server.tools"],
        Tool,
        query=ToolsOf,
        listing=Listing("tools", ("server", "name")),
        names={"server": "name"},
        refusals=(SERVER_UNKNOWN,),
    ),
)
