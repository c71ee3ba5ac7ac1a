"""Admin tokens over REST: listed and revoked. None is made here: a token that makes tokens would never end."""

from typing import Literal

import msgspec

from mcp_platform.base.errors import NOT_FOUND
from mcp_platform.features.tokens.actions import ACTIONS
from mcp_platform.store.route import Changed, Listing, Moment, Route, by_name

_OF = by_name(ACTIONS)


class AdminToken(msgspec.Struct, frozen=True):
    """An admin token, without the token."""

    id: str
    agent: str
    permissions: list[str]
    created_at: Moment
    created_by: str
    not_after: Moment
    revoked_at: Moment | None
    state: Literal["active", "expired", "revoked"]


class TokenEnded(Changed, frozen=True, kw_only=True):
    """Whether this was what ended it; false where it had been revoked already."""

    id: str
    changed: bool


ROUTES = (
    Route("GET", "/tokens", _OF["token.list"], AdminToken, listing=Listing("tokens", ("id",))),
    Route("GET", "/tokens/{id}", _OF["token.list"], AdminToken, one="tokens", absent=NOT_FOUND, names={"id": "name"}),
    Route("DELETE", "/tokens/{id}", _OF["token.revoke"], TokenEnded, guarded="/tokens/{id}", refusals=(NOT_FOUND,)),
)
