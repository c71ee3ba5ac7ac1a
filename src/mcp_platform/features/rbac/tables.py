"""Roles and who holds them, in SQL."""

import msgspec
from sqlalchemy import Boolean, Column, Float, ForeignKey, String, Table, Text, insert, select

from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.identity.tables import PRINCIPALS
from mcp_platform.features.rbac.model import RoleRow
from mcp_platform.store.schema import metadata
from mcp_platform.store.unit import Unit

ROLES = Table(
    "roles",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("rules", Text, nullable=False),  # JSON array of `server/tool` patterns
    Column("built_in", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Float, nullable=False),
)

ROLE_GRANTS = Table(
    "role_grants",
    metadata,
    Column("role", String(64), ForeignKey("roles.name"), primary_key=True),
    Column("principal_id", String(32), ForeignKey("principals.id", ondelete="CASCADE"), primary_key=True),
    Column("granted_at", Float, nullable=False),
)


def add_role(unit: Unit, role: RoleRow, *, built_in: bool = False) -> None:
    unit.connection.execute(
        insert(ROLES).values(
            name=role.name,
            rules=msgspec.json.encode(role.rules).decode(),
            built_in=built_in,
            created_at=unit.now,
        )
    )


def grant(unit: Unit, role: str, principal_id: str) -> bool:
    """False where it was granted already."""
    held = select(ROLE_GRANTS.c.role).where(ROLE_GRANTS.c.role == role, ROLE_GRANTS.c.principal_id == principal_id)
    if unit.connection.execute(held).first() is not None:
        return False
    unit.connection.execute(insert(ROLE_GRANTS).values(role=role, principal_id=principal_id, granted_at=unit.now))
    return True


def role_exists(unit: Unit, name: str) -> bool:
    return unit.connection.execute(select(ROLES.c.name).where(ROLES.c.name == name)).first() is not None


def roles(unit: Unit) -> list[RoleRow]:
    """Every role, for the snapshot."""
    rows = unit.connection.execute(select(ROLES.c.name, ROLES.c.rules).order_by(ROLES.c.name))
    return [RoleRow(name=row.name, rules=msgspec.json.decode(row.rules, type=tuple[str, ...])) for row in rows]


def principals(unit: Unit) -> list[PrincipalRow]:
    """Every principal with the roles granted to it, for the snapshot. Stands here, above identity, for the roles."""
    granted: dict[str, list[str]] = {}
    grants = select(ROLE_GRANTS.c.principal_id, ROLE_GRANTS.c.role).order_by(ROLE_GRANTS.c.role)
    for row in unit.connection.execute(grants):
        granted.setdefault(row.principal_id, []).append(row.role)
    rows = unit.connection.execute(
        select(
            PRINCIPALS.c.id, PRINCIPALS.c.name, PRINCIPALS.c.kind, PRINCIPALS.c.tenant, PRINCIPALS.c.disabled_at
        ).order_by(PRINCIPALS.c.id)
    )
    return [
        PrincipalRow(
            id=row.id,
            name=row.name,
            kind=row.kind,
            tenant=row.tenant,
            roles=tuple(granted.get(row.id, ())),
            disabled=row.disabled_at is not None,
        )
        for row in rows
    ]
