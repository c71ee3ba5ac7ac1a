"""Limits over REST."""

from typing import Annotated, Literal

import msgspec

from mcp_platform.base.errors import NOT_FOUND
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.features.identity.routes import PrincipalName
from mcp_platform.features.ratelimit.actions import ACTIONS
from mcp_platform.features.ratelimit.check import ENDPOINTS, MAX_COUNT, MAX_PERIOD_S
from mcp_platform.features.rbac.routes import ToolRule
from mcp_platform.store.route import Changed, Listing, Route, Warned, by_name

_OF = by_name(ACTIONS)
_Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_COUNT)]
_Endpoint = Annotated[
    str, msgspec.Meta(max_length=64, description=f"`*`, `/mcp/NAME` or one of: {', '.join(ENDPOINTS)}.")
]


class Limit(msgspec.Struct, frozen=True):
    """How often something may be asked."""

    name: str
    by: Literal["address", "principal", "everyone"]
    """Who shares a counter."""
    count: int
    period_s: float
    burst: int
    endpoint: str
    tool: str | None
    principal: str | None
    shadow: bool


class LimitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a limit lets through."""

    count: _Count
    """Requests in each period."""
    period_s: Annotated[float, msgspec.Meta(ge=1, le=MAX_PERIOD_S)]
    by: Literal["address", "principal", "everyone"] = "principal"
    burst: _Count | None = None
    """Requests at one moment; null: `count`."""
    endpoint: _Endpoint = "*"
    tool: ToolRule | None = None
    principal: PrincipalName | None = None
    shadow: bool = False
    """Warning: this allows what is above the limit: it is only reported."""
    strict: bool = False
    """True refuses what names a server or tool that is not known; false warns of it."""


class LimitSet(Warned, frozen=True, kw_only=True):
    """The limit that holds now, and whether it replaced one."""

    name: str
    by: Literal["address", "principal", "everyone"]
    count: int
    period_s: float
    burst: int
    endpoint: str
    tool: str | None
    principal: str | None
    shadow: bool
    replaced: bool


class LimitRemoved(Changed, frozen=True, kw_only=True):
    """The limit that is gone."""

    name: str
    removed: bool


_ONE = "/limits/{name}"
ROUTES = (
    Route("GET", "/limits", _OF["limit.list"], Limit, listing=Listing("limits", ("name",))),
    Route("GET", _ONE, _OF["limit.list"], Limit, one="limits", absent=NOT_FOUND),
    Route(
        "PUT",
        _ONE,
        _OF["limit.set"],
        LimitSet,
        body=LimitBody,
        example={"count": 1000, "period_s": 86400, "tool": "git/*"},
        guarded=_ONE,
        refusals=(PRINCIPAL_UNKNOWN,),
    ),
    Route("DELETE", _ONE, _OF["limit.remove"], LimitRemoved, guarded=_ONE, refusals=(NOT_FOUND,)),
)
