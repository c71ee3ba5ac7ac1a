"""Principals, and the set-up link by which the first person comes in, in SQL."""

from collections.abc import Iterable

from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Integer, LargeBinary, String, Table, insert, select

from mcp_platform.base import ids
from mcp_platform.features.identity.model import TENANT
from mcp_platform.store.schema import metadata
from mcp_platform.store.unit import Unit

PRINCIPALS = Table(
    "principals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("disabled_at", Float, nullable=True),
    CheckConstraint("kind IN ('person', 'service')", name="kind"),
)

SETUP_LINKS = Table(
    "setup_links",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1: a new link replaces the old one
    Column("mac", LargeBinary(32), nullable=False),
    Column("principal_id", String(32), ForeignKey("principals.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),  # null until the platform was first served
)


def add_principal(unit: Unit, name: str, kind: str) -> str:
    """The id of the new principal."""
    principal_id = ids.new_id("prn")
    unit.connection.execute(
        insert(PRINCIPALS).values(id=principal_id, name=name, kind=kind, tenant=TENANT, created_at=unit.now)
    )
    return principal_id


def principal_id_of(unit: Unit, name: str) -> str | None:
    found = unit.connection.execute(select(PRINCIPALS.c.id).where(PRINCIPALS.c.name == name)).scalar_one_or_none()
    return None if found is None else str(found)


def principal_names(unit: Unit, principal_ids: Iterable[str]) -> dict[str, str]:
    rows = unit.connection.execute(
        select(PRINCIPALS.c.id, PRINCIPALS.c.name).where(PRINCIPALS.c.id.in_(list(principal_ids)))
    )
    return {str(row.id): str(row.name) for row in rows}
