"""Principals over REST."""

from typing import Annotated, Literal

import msgspec

from mcp_platform.features.identity.actions import ACTIONS
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.store.route import Changed, Listing, Moment, Route, by_name

_OF = by_name(ACTIONS)
PRINCIPAL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$"
AGENT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9 ._@/+-]{0,63}$"
PrincipalName = Annotated[str, msgspec.Meta(pattern=PRINCIPAL_PATTERN, max_length=64)]
AgentName = Annotated[str, msgspec.Meta(pattern=AGENT_PATTERN, max_length=64)]


class Principal(msgspec.Struct, frozen=True):
    """Somebody who may hold keys and roles."""

    name: str
    kind: Literal["person", "service"]
    created_at: Moment
    disabled: bool


class Switched(Changed, frozen=True, kw_only=True):
    """Whether a principal is let in now."""

    name: str
    disabled: bool


ROUTES = (
    Route("GET", "/principals", _OF["principal.list"], Principal, listing=Listing("principals", ("name",))),
    Route("GET", "/principals/{name}", _OF["principal.list"], Principal, one="principals", absent=PRINCIPAL_UNKNOWN),
    Route(
        "POST",
        "/principals/{name}/disable",
        _OF["principal.disable"],
        Switched,
        guarded="/principals/{name}",
        refusals=(PRINCIPAL_UNKNOWN,),
    ),
    Route(
        "POST",
        "/principals/{name}/enable",
        _OF["principal.enable"],
        Switched,
        guarded="/principals/{name}",
        refusals=(PRINCIPAL_UNKNOWN,),
    ),
)
