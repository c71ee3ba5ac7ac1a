"""MCP servers and what they offer, over REST."""

from typing import Annotated, Literal

import msgspec

from mcp_platform.features.upstreams import actions, showing, waiting
from mcp_platform.features.upstreams.actions import MAX_CALL_TIMEOUT_S
from mcp_platform.features.upstreams.check import MAX_HEADERS, MAX_VALUE_CHARACTERS, MAX_WORDS
from mcp_platform.features.upstreams.differences import Difference
from mcp_platform.features.upstreams.errors import (
    SERVER_EXISTS,
    SERVER_INVALID,
    SERVER_UNKNOWN,
    TOOL_NOT_PENDING,
    TOOL_NOT_THERE,
    TOOLS_NOT_AS_SHOWN,
)
from mcp_platform.features.upstreams.offered import MAX_NAME_CHARACTERS
from mcp_platform.features.upstreams.showing import MAX_LISTED
from mcp_platform.net import upstream_errors as upstream
from mcp_platform.net.client_trust import TRUST_INVALID, Trust
from mcp_platform.store.route import Changed, Listing, Moment, Route, by_name

_OF = by_name(actions.ACTIONS + showing.ACTIONS + waiting.ACTIONS)
SERVER_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,31}$"
ServerName = Annotated[str, msgspec.Meta(pattern=SERVER_PATTERN, max_length=32)]
_Word = Annotated[str, msgspec.Meta(max_length=MAX_VALUE_CHARACTERS)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
ToolState = Literal["approved", "new", "changed", "gone", "skipped"]
"""`new` is not shown to agents; `changed` is shown as it was approved; `gone` is listed no more; `skipped` cannot be
shown."""
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
    transport: Literal["http", "sse", "stdio"]
    url: str | None
    program: str | None
    """Of a server that is a command."""
    shared: bool
    has_credentials: bool
    era: str
    enabled: bool
    tools: int
    """Tools that agents see."""
    prompts: int
    resources: int
    templates: int
    awaiting: int
    """Tools that are new or changed and await approval."""
    accept_changes: bool
    """Whether new and changed tools are approved as soon as they are seen."""
    stale: str | None
    """Code of the error for which the server is not reached, so that its lists are the last good ones; null where it
    is reached."""
    stale_at: Moment | None
    problems: dict[str, str]
    """What could not be listed besides tools → code of the error."""
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
    accept_changes: bool = False
    """Warning: this allows a server to change what its tools say and do without anybody looking."""
    sse: bool = False
    """True: the URL is one of HTTP+SSE (2024-11-05)."""


class ToolShown(msgspec.Struct, frozen=True):
    """A tool as the server lists it, and the name that agents see."""

    name: str
    exposed: str | None
    skipped: str | None
    """Why agents cannot see it; null where they can."""
    description: str
    state: ToolState
    tokens: int
    """About how many tokens an agent's model reads for the definition."""


class ServerAdded(Changed, frozen=True, kw_only=True):
    """The server that was added, and the tools it had at that moment."""

    name: str
    id: str
    transport: Literal["http", "sse", "stdio"]
    era: str
    server: dict[str, str]
    """What the server says of itself."""
    tool_count: int
    tools: list[ToolShown]
    skipped_count: int
    skipped: list[ToolShown]
    unreadable_count: int
    prompt_count: int
    resource_count: int
    template_count: int
    problems: dict[str, str]
    isolation: str | None = None
    user: str | None = None
    warnings: list[str]


class ServerRemoved(Changed, frozen=True, kw_only=True):
    """The server that is gone; the names of its tools stay reserved for it."""

    name: str
    removed: bool


class ServerRefreshed(Changed, frozen=True, kw_only=True):
    """What the server lists now, and what of it is new."""

    name: str
    era: str
    ms: float
    lists: list[str]
    """Lists of which agents see others now: `tools`, `prompts`, `resources` (which stands for templates too)."""
    same: bool
    """True where it lists what it listed before."""
    prompt_count: int
    resource_count: int
    template_count: int
    new: list[str]
    """Tools that were not there before; likewise the next two."""
    changed: list[str]
    gone: list[str]
    awaiting: int
    """Tools that await approval, of this time and before."""
    accepted: list[str]
    """Tools that were approved at once, because the server may change them."""
    problems: dict[str, str]
    unreadable_count: int


class ApproveBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which tools to approve, as the server was last seen to list them."""

    tools: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=MAX_LISTED)] | None = None
    """The server's own names for them; null: every one that awaits approval."""
    seen: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    """What `changes` said of exactly these: where they are others by now, nothing is approved."""


class Approved(Changed, frozen=True, kw_only=True):
    """The tools that agents see now."""

    name: str
    approved: list[str]
    approved_count: int
    nameless: list[str]
    """Tools that agents cannot see, because no name is free for them."""
    awaiting: int


class ToolWaiting(msgspec.Struct, frozen=True):
    """A tool that awaits approval, and how it differs from what agents have; of a new one, all that it says."""

    name: str
    state: Literal["new", "changed"]
    seen_hash: str
    """SHA-256 of the definition that the server lists now, in canonical form."""
    differences: list[Difference]
    left_out: int
    """Differences that did not fit into the answer; ask for this tool alone."""


class Changes(msgspec.Struct, frozen=True):
    """What awaits approval."""

    name: str
    tools: list[ToolWaiting]
    more: int
    """Tools that did not fit into the answer."""
    seen: str
    """Names exactly these definitions; approve with it what was shown, and nothing else."""


class OfTool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which tool alone."""

    tool: _Name | None = None
    """The server's own name for it."""


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
    """A tool of a server, and whether it is what was approved."""

    server: str
    name: str
    exposed: str | None
    skipped: str | None
    description: str
    approved: bool
    definition_hash: str
    """SHA-256 of the definition in canonical form."""
    state: ToolState
    seen_hash: str | None
    """Of the definition that the server lists now, where it is not the one that was approved."""
    unusable: str | None
    """Why that one cannot be approved."""
    tokens: int
    """About how many tokens an agent's model reads for the definition."""


class Prompt(msgspec.Struct, frozen=True):
    """A prompt of a server."""

    server: str
    name: str
    exposed: str | None
    """The name that agents see."""
    skipped: str | None
    description: str


class Resource(msgspec.Struct, frozen=True):
    """A resource of a server, or a template for some."""

    server: str
    name: str
    """The server's own URI or template."""
    template: bool
    exposed: str | None
    """The URI or template that agents see."""
    skipped: str | None
    description: str


class OfServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose they are."""

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
        "POST",
        "/servers/{name}/refresh",
        _OF["server.refresh"],
        ServerRefreshed,
        refusals=(SERVER_UNKNOWN, *_FROM_OUTSIDE),
    ),
    Route(
        "POST",
        "/servers/{name}/approve",
        _OF["server.approve"],
        Approved,
        body=ApproveBody,
        example={"tools": ["get_current_time"]},
        refusals=(SERVER_UNKNOWN, TOOL_NOT_PENDING, TOOL_NOT_THERE, TOOLS_NOT_AS_SHOWN),
    ),
    Route(
        "GET",
        "/servers/{name}/changes",
        _OF["server.changes"],
        Changes,
        query=OfTool,
        refusals=(SERVER_UNKNOWN, TOOL_NOT_PENDING, TOOL_NOT_THERE),
    ),
    Route(
        "GET",
        "/prompts",
        _OF["server.prompts"],
        Prompt,
        query=OfServer,
        listing=Listing("prompts", ("server", "name")),
        names={"server": "name"},
        refusals=(SERVER_UNKNOWN,),
    ),
    Route(
        "GET",
        "/resources",
        _OF["server.resources"],
        Resource,
        query=OfServer,
        listing=Listing("resources", ("server", "name")),
        names={"server": "name"},
        refusals=(SERVER_UNKNOWN,),
    ),
    Route(
        "GET",
        "/tools",
        _OF["server.tools"],
        Tool,
        query=OfServer,
        listing=Listing("tools", ("server", "name")),
        names={"server": "name"},
        refusals=(SERVER_UNKNOWN,),
    ),
)
