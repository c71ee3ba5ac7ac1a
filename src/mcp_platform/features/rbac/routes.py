"""Roles and who holds them, over REST."""

from typing import Annotated

import msgspec

from mcp_platform.base.errors import CONFLICT, NOT_FOUND
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.features.rbac.actions import ACTIONS, MAX_RULES
from mcp_platform.features.rbac.check import MAX_RESOURCE_RULE_CHARACTERS, MAX_RULE_CHARACTERS
from mcp_platform.features.rbac.errors import ROLE_BUILT_IN, ROLE_IN_USE
from mcp_platform.store.route import Changed, Listing, Route, Warned, by_name

_OF = by_name(ACTIONS)
ROLE_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_SIDES = r"(\*|[a-z0-9][a-z0-9_-]{0,31})/(\*|[^*\x00-\x1f\x7f]+)$"
RULE_PATTERN = r"^(prompts:|resources:|)" + _SIDES
RoleName = Annotated[str, msgspec.Meta(pattern=ROLE_PATTERN, max_length=64)]
Rule = Annotated[str, msgspec.Meta(pattern=RULE_PATTERN, max_length=MAX_RESOURCE_RULE_CHARACTERS)]
ToolRule = Annotated[str, msgspec.Meta(pattern="^" + _SIDES, max_length=MAX_RULE_CHARACTERS)]


class Role(msgspec.Struct, frozen=True):
    """A role, what it allows, and who holds it."""

    name: str
    rules: list[str]
    """`server/tool`, `prompts:server/name`, `resources:server/uri`; either side of the slash may be `*`."""
    built_in: bool
    holders: list[str]
    """Names of principals."""


class RoleBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new role."""

    name: RoleName
    rules: Annotated[tuple[Rule, ...], msgspec.Meta(min_length=1, max_length=MAX_RULES)]
    strict: bool = False
    """True refuses what names a server or tool that is not known; false warns of it."""


class RoleMade(Warned, frozen=True, kw_only=True):
    """The role that was made."""

    name: str
    rules: list[str]


class RoleDeleted(Changed, frozen=True, kw_only=True):
    """The role that is gone."""

    name: str
    deleted: bool


class Held(Changed, frozen=True, kw_only=True):
    """Whose role was changed, and whether there was something to change."""

    name: str
    principal: str
    changed: bool


_HOLDER = "/roles/{name}/holders/{principal}"
ROUTES = (
    Route("GET", "/roles", _OF["role.list"], Role, listing=Listing("roles", ("name",))),
    Route(
        "POST",
        "/roles",
        _OF["role.create"],
        RoleMade,
        status=201,
        body=RoleBody,
        example={"name": "readers", "rules": ["git/log", "time/*"]},
        refusals=(CONFLICT,),
    ),
    Route("GET", "/roles/{name}", _OF["role.list"], Role, one="roles", absent=NOT_FOUND),
    Route(
        "DELETE",
        "/roles/{name}",
        _OF["role.delete"],
        RoleDeleted,
        guarded="/roles/{name}",
        refusals=(NOT_FOUND, ROLE_BUILT_IN, ROLE_IN_USE),
    ),
    Route("PUT", _HOLDER, _OF["role.grant"], Held, refusals=(NOT_FOUND, PRINCIPAL_UNKNOWN)),
    Route("DELETE", _HOLDER, _OF["role.revoke"], Held, refusals=(NOT_FOUND, PRINCIPAL_UNKNOWN)),
)
