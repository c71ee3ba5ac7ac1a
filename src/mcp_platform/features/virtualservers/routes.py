"""Virtual servers over REST."""

from typing import Annotated, Literal

import msgspec

from mcp_platform.features.rbac.routes import RoleName
from mcp_platform.features.upstreams.errors import SERVER_UNKNOWN
from mcp_platform.features.upstreams.routes import SERVER_PATTERN, ServerName
from mcp_platform.features.virtualservers.actions import ACTIONS
from mcp_platform.features.virtualservers.check import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_INSTRUCTIONS_CHARACTERS,
    MAX_ITEMS,
    MAX_ROLES,
    MAX_TITLE_CHARACTERS,
)
from mcp_platform.features.virtualservers.errors import (
    ITEM_NAME_TAKEN,
    ITEM_NOT_THERE,
    VIRTUAL_EXISTS,
    VIRTUAL_INVALID,
    VIRTUAL_UNKNOWN,
)
from mcp_platform.store.route import Changed, Listing, Moment, Route, by_name

_OF = by_name(ACTIONS)
_Name = Annotated[str, msgspec.Meta(pattern=SERVER_PATTERN, max_length=32)]
_Title = Annotated[str, msgspec.Meta(max_length=MAX_TITLE_CHARACTERS)]
_Description = Annotated[str, msgspec.Meta(max_length=MAX_DESCRIPTION_CHARACTERS)]
_Instructions = Annotated[str, msgspec.Meta(max_length=MAX_INSTRUCTIONS_CHARACTERS)]
_Roles = Annotated[tuple[RoleName, ...], msgspec.Meta(max_length=MAX_ROLES)]
_Kind = Literal["tools", "prompts", "resources", "templates"]
_Own = Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]
_Exposed = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$", max_length=64)]


class Virtual(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual server: chosen items of servers, at a URL of their own."""

    name: str
    id: str
    path: str
    """Where agents reach it."""
    title: str
    description: str
    instructions: str
    """In place of those of its servers; empty: theirs."""
    roles: list[str]
    """Who holds one of them may use it; none: everybody, each within its own roles."""
    roles_missing: list[str]
    """Those of them that do not exist now."""
    tool_search: bool
    enabled: bool
    item_count: int
    missing_count: int
    """Items that agents do not see now."""
    tokens: int
    """About what an agent reads that lists everything."""
    tokens_with_search: int
    tokens_without_search: int
    created_at: Moment


class Item(msgspec.Struct, frozen=True):
    """One thing that was chosen."""

    kind: _Kind
    server: str
    own: str
    """The server's own name, URI or template."""
    exposed: str | None
    """What agents see in its place."""
    description: str
    described_here: bool
    """Whether the description is the operator's."""
    missing: str | None
    """Why agents do not see it now; null where they do."""
    tokens: int


class WholeVirtual(Virtual, frozen=True, kw_only=True):
    """A virtual server with its items, the first thousand."""

    items: list[Item]


class VirtualChanged(Changed, frozen=True, kw_only=True):
    """The virtual server as it is now."""

    name: str
    id: str
    path: str
    title: str
    description: str
    instructions: str
    roles: list[str]
    roles_missing: list[str]
    tool_search: bool
    enabled: bool
    item_count: int
    missing_count: int
    tokens: int
    tokens_with_search: int
    tokens_without_search: int
    created_at: Moment
    items: list[Item]
    added: int = 0
    added_unasked: int = 0
    """Of those, the tools that whole servers brought."""


class VirtualRemoved(Changed, frozen=True, kw_only=True):
    """The virtual server that is gone."""

    name: str
    removed: bool


class ChosenBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to offer."""

    server: ServerName
    own: _Own
    """The server's own name, URI or template; `*`: every one, but of tools."""
    kind: _Kind = "tools"
    exposed: _Exposed | None = None
    """The name that agents are to see; null: the one at `/mcp`. Only tools and prompts."""
    description: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_DESCRIPTION_CHARACTERS)] | None = None


class NamedBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item."""

    server: ServerName
    own: _Own
    kind: _Kind = "tools"


class VirtualBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new virtual server."""

    name: _Name
    title: _Title = ""
    description: _Description = ""
    instructions: _Instructions = ""
    roles: _Roles = ()
    tool_search: bool = False
    servers: Annotated[tuple[ServerName, ...], msgspec.Meta(max_length=1000)] = ()
    """Servers whose tools are taken that say they only read."""
    items: Annotated[tuple[ChosenBody, ...], msgspec.Meta(max_length=MAX_ITEMS)] = ()


class SettingsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a virtual server is besides its items."""

    title: _Title = ""
    description: _Description = ""
    instructions: _Instructions = ""
    roles: _Roles = ()
    tool_search: bool = False
    enabled: bool = True


class AddBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to offer, too."""

    servers: Annotated[tuple[ServerName, ...], msgspec.Meta(max_length=1000)] = ()
    items: Annotated[tuple[ChosenBody, ...], msgspec.Meta(max_length=MAX_ITEMS)] = ()


class DropBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What not to offer any more."""

    items: Annotated[tuple[NamedBody, ...], msgspec.Meta(min_length=1, max_length=MAX_ITEMS)]


_ONE = "/virtual-servers/{name}"
_CHOICE = (SERVER_UNKNOWN, ITEM_NOT_THERE, ITEM_NAME_TAKEN, VIRTUAL_INVALID)
ROUTES = (
    Route("GET", "/virtual-servers", _OF["virtual.list"], Virtual, listing=Listing("virtual_servers", ("name",))),
    Route(
        "POST",
        "/virtual-servers",
        _OF["virtual.create"],
        VirtualChanged,
        status=201,
        body=VirtualBody,
        example={"name": "research", "servers": ["wiki"], "items": [{"server": "git", "own": "git_log"}]},
        refusals=(VIRTUAL_EXISTS, *_CHOICE),
    ),
    Route("GET", _ONE, _OF["virtual.show"], WholeVirtual, one="virtual_servers", absent=VIRTUAL_UNKNOWN),
    Route(
        "PUT",
        _ONE,
        _OF["virtual.set"],
        VirtualChanged,
        body=SettingsBody,
        example={"title": "Research", "roles": ["researcher"], "tool_search": True},
        guarded=_ONE,
        refusals=(VIRTUAL_UNKNOWN, VIRTUAL_INVALID),
    ),
    Route("DELETE", _ONE, _OF["virtual.remove"], VirtualRemoved, guarded=_ONE, refusals=(VIRTUAL_UNKNOWN,)),
    Route(
        "POST",
        f"{_ONE}/items",
        _OF["virtual.add"],
        VirtualChanged,
        body=AddBody,
        example={"items": [{"server": "git", "own": "git_log", "exposed": "history"}]},
        guarded=_ONE,
        refusals=(VIRTUAL_UNKNOWN, *_CHOICE),
    ),
    Route(
        "POST",
        f"{_ONE}/items/drop",
        _OF["virtual.drop"],
        VirtualChanged,
        body=DropBody,
        example={"items": [{"server": "git", "own": "git_log"}]},
        guarded=_ONE,
        refusals=(VIRTUAL_UNKNOWN, ITEM_NOT_THERE),
    ),
)
