"""API keys over REST. The key itself is answered once, to its creation."""

from typing import Annotated, Literal

import msgspec

from mcp_platform.base.errors import NOT_FOUND
from mcp_platform.features.apikeys.actions import ACTIONS, MAX_LIFE_S, MAX_SCOPES
from mcp_platform.features.identity.routes import AgentName, PrincipalName
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.features.rbac.routes import RoleName, Rule
from mcp_platform.store.route import Changed, Listing, Moment, Route, Warned, by_name

_OF = by_name(ACTIONS)


class Key(msgspec.Struct, frozen=True):
    """An API key, without the key."""

    id: str
    principal: str
    agent: str
    scopes: list[str] | None
    """Patterns that narrow it; null narrows nothing."""
    created_at: Moment
    created_by: str
    not_after: Moment | None
    revoked_at: Moment | None
    state: Literal["active", "expired", "revoked"]


class KeyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whom a key is, and what it may."""

    principal: PrincipalName
    """Made as a service where there is none of that name."""
    agent: AgentName | None = None
    """The agent that will hold it; null: the principal's own name."""
    roles: Annotated[tuple[RoleName, ...], msgspec.Meta(max_length=64)] = ()
    """Roles to grant to the principal besides; needs the permission to grant as well."""
    scopes: Annotated[tuple[Rule, ...], msgspec.Meta(max_length=MAX_SCOPES)] | None = None
    expires_in_s: Annotated[float, msgspec.Meta(gt=0, le=MAX_LIFE_S)] | None = None
    strict: bool = False
    """True refuses what names a server or tool that is not known; false warns of it."""


class KeyMade(Warned, frozen=True, kw_only=True):
    """The key that was made. It is not shown again."""

    id: str
    api_key: str
    principal: str
    principal_created: bool
    agent: str
    roles_granted: list[str]
    scopes: list[str] | None
    not_after: Moment | None


class Ended(Changed, frozen=True, kw_only=True):
    """Whether this was what ended it; false where it had ended already."""

    id: str
    changed: bool


class KeysOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose keys."""

    principal: PrincipalName | None = None


ROUTES = (
    Route(
        "GET",
        "/keys",
        _OF["key.list"],
        Key,
        query=KeysOf,
        listing=Listing("keys", ("created_at", "id")),
    ),
    Route(
        "POST",
        "/keys",
        _OF["key.create"],
        KeyMade,
        status=201,
        body=KeyBody,
        example={"principal": "ci", "agent": "release-bot", "scopes": ["git/*"], "expires_in_s": 7776000},
        refusals=(NOT_FOUND, FORBIDDEN),
    ),
    Route("GET", "/keys/{id}", _OF["key.list"], Key, one="keys", absent=NOT_FOUND),
    Route("DELETE", "/keys/{id}", _OF["key.revoke"], Ended, guarded="/keys/{id}", refusals=(NOT_FOUND,)),
)
