"""Limits in SQL."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, String, Table, Text, insert, select

from mcp_platform.features.identity.tables import PRINCIPALS
from mcp_platform.features.ratelimit.model import LimitRow
from mcp_platform.store.schema import metadata
from mcp_platform.store.unit import Unit

LIMITS = Table(
    "limits",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("subject", String(16), nullable=False),  # address, principal or everyone
    Column("count", Integer, nullable=False),
    Column("period_s", Float, nullable=False),
    Column("burst", Integer, nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("tool", Text, nullable=True),
    Column("principal_id", String(32), ForeignKey("principals.id", ondelete="CASCADE"), nullable=True),
    Column("shadow", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Float, nullable=False),
)


def limits(unit: Unit) -> list[LimitRow]:
    """Every rule, for the snapshot."""
    rows = unit.connection.execute(select(LIMITS).order_by(LIMITS.c.name))
    return [
        LimitRow(
            name=row.name,
            subject=row.subject,
            count=row._mapping["count"],  # a row is a tuple, whose `count` is a method
            period_s=row.period_s,
            burst=row.burst,
            endpoint=row.endpoint,
            tool=row.tool,
            principal=row.principal_id,
            shadow=row.shadow,
        )
        for row in rows
    ]


def add_limit(unit: Unit, rule: LimitRow) -> None:
    """Raises nothing: the caller has looked that the name is free."""
    unit.connection.execute(
        insert(LIMITS).values(
            name=rule.name,
            subject=rule.subject,
            count=rule.count,
            period_s=rule.period_s,
            burst=rule.burst,
            endpoint=rule.endpoint,
            tool=rule.tool,
            principal_id=rule.principal,
            shadow=rule.shadow,
            created_at=unit.now,
        )
    )


def principal_names(unit: Unit) -> dict[str, str]:
    """Names of the principals that rules name, by id."""
    named = select(PRINCIPALS.c.id, PRINCIPALS.c.name).join(LIMITS, LIMITS.c.principal_id == PRINCIPALS.c.id)
    return {row.id: row.name for row in unit.connection.execute(named)}
