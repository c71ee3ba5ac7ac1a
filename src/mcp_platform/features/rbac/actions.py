"""What can be done to roles."""

import msgspec
from sqlalchemy import delete, select

from mcp_platform.base.errors import CONFLICT, INVALID, NOT_FOUND, Fault
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.features.identity.tables import PRINCIPALS, principal_id_of
from mcp_platform.features.rbac.check import RULE_FORM, is_role_name, is_rule
from mcp_platform.features.rbac.errors import ROLE_BUILT_IN, ROLE_IN_USE
from mcp_platform.features.rbac.model import RoleRow
from mcp_platform.features.rbac.tables import ROLE_GRANTS, ROLES, add_role, grant, role_exists
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.page import Which, cut, turn
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_RULES = 1000
"""Rules of one role: a role that needs more is a role for everything."""


class NewRole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role and what it allows."""

    name: str
    rules: tuple[str, ...]
    """`server/tool`, `prompts:server/name`, `resources:server/uri`."""
    strict: bool = False
    """True refuses what names a server or tool that is not known, instead of warning of it."""


class RoleNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which role."""

    name: str


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which role, and whose."""

    name: str
    principal: str


def list_roles(unit: Unit, params: Which, context: Context) -> Change:
    rows = unit.connection.execute(turn(select(ROLES), ROLES.c.name, params)).all()
    holders: dict[str, list[str]] = {row.name: [] for row in rows}
    held = select(ROLE_GRANTS.c.role, PRINCIPALS.c.name).join(PRINCIPALS, PRINCIPALS.c.id == ROLE_GRANTS.c.principal_id)
    for row in unit.connection.execute(held.order_by(PRINCIPALS.c.name)):
        if row.role in holders:
            holders[row.role].append(row.name)
    listed = [
        {
            "name": row.name,
            "rules": msgspec.json.decode(row.rules),
            "built_in": row.built_in,
            "holders": holders[row.name],
        }
        for row in rows
    ]
    return Change(result=cut("roles", listed, params))


def create_role(unit: Unit, params: NewRole, context: Context) -> Change:
    if not is_role_name(params.name):
        raise Fault(INVALID, "A role's name is 1 to 64 of a-z, 0-9 and `_-.`, and begins with a letter or digit.")
    if not params.rules or len(params.rules) > MAX_RULES or not all(map(is_rule, params.rules)):
        raise Fault(INVALID, f"A role has 1 to 1000 rules. {RULE_FORM}")
    if role_exists(unit, params.name):
        raise Fault(CONFLICT)
    add_role(unit, RoleRow(name=params.name, rules=params.rules))
    return Change(
        result={"name": params.name, "rules": list(params.rules)}, touched=Touched(roles=True), target=params.name
    )


def delete_role(unit: Unit, params: RoleNamed, context: Context) -> Change:
    built_in = unit.connection.execute(select(ROLES.c.built_in).where(ROLES.c.name == params.name)).scalar_one_or_none()
    if built_in is None:
        raise Fault(NOT_FOUND)
    if built_in:
        raise Fault(ROLE_BUILT_IN)
    held = select(ROLE_GRANTS.c.role).where(ROLE_GRANTS.c.role == params.name).limit(1)
    if unit.connection.execute(held).first() is not None:
        raise Fault(ROLE_IN_USE)
    unit.connection.execute(delete(ROLES).where(ROLES.c.name == params.name))
    return Change(result={"name": params.name, "deleted": True}, touched=Touched(roles=True), target=params.name)


def grant_role(unit: Unit, params: Grant, context: Context) -> Change:
    principal_id = _principal(unit, params)
    new = grant(unit, params.name, principal_id)
    return Change(
        result={"name": params.name, "principal": params.principal, "changed": new},
        touched=Touched(principals=True),
        target=params.principal,
    )


def revoke_role(unit: Unit, params: Grant, context: Context) -> Change:
    principal_id = _principal(unit, params)
    gone = unit.connection.execute(
        delete(ROLE_GRANTS).where(ROLE_GRANTS.c.role == params.name, ROLE_GRANTS.c.principal_id == principal_id)
    )
    return Change(
        result={"name": params.name, "principal": params.principal, "changed": gone.rowcount > 0},
        touched=Touched(principals=True),
        target=params.principal,
    )


def _principal(unit: Unit, params: Grant) -> str:
    if not role_exists(unit, params.name):
        raise Fault(NOT_FOUND, "No role has that name; `mcp-platform role list` shows those that exist.")
    principal_id = principal_id_of(unit, params.principal)
    if principal_id is None:
        raise Fault(PRINCIPAL_UNKNOWN)
    return principal_id


ACTIONS = (
    Action(
        name="role.list",
        permission=Permission.RBAC_ROLE_READ,
        audit=Tag.RBAC_ROLE_LIST,
        params=Which,
        run=list_roles,
        summary="Lists every role with its rules and who holds it.",
        records=("name", "after", "limit"),
        reads=True,
    ),
    Action(
        name="role.create",
        permission=Permission.RBAC_ROLE_CHANGE,
        audit=Tag.RBAC_ROLE_CREATE,
        params=NewRole,
        run=create_role,
        summary="Makes a role from rules: `server/tool`, `prompts:server/name`, `resources:server/uri`.",
        records=("name", "rules", "strict"),
        names=lambda params: params.rules,
    ),
    Action(
        name="role.delete",
        permission=Permission.RBAC_ROLE_CHANGE,
        audit=Tag.RBAC_ROLE_DELETE,
        params=RoleNamed,
        run=delete_role,
        summary="Deletes a role that nobody holds any more.",
        records=("name",),
    ),
    Action(
        name="role.grant",
        permission=Permission.RBAC_GRANT_CHANGE,
        audit=Tag.RBAC_ROLE_GRANT,
        params=Grant,
        run=grant_role,
        summary="Gives a role to a principal.",
        records=("name", "principal"),
    ),
    Action(
        name="role.revoke",
        permission=Permission.RBAC_GRANT_CHANGE,
        audit=Tag.RBAC_ROLE_REVOKE,
        params=Grant,
        run=revoke_role,
        summary="Takes a role from a principal; calls under way that it allowed are cut.",
        records=("name", "principal"),
    ),
)
