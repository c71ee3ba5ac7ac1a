"""API keys in SQL: id, MAC and who holds it; never the key."""

import msgspec
from sqlalchemy import BigInteger, Column, Float, ForeignKey, LargeBinary, String, Table, Text, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from mcp_platform.features.apikeys.model import KeyRow
from mcp_platform.store.schema import metadata
from mcp_platform.store.unit import Unit

API_KEYS = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("mac", LargeBinary(32), nullable=False),
    Column("principal_id", String(32), ForeignKey("principals.id"), nullable=False, index=True),
    Column("agent", String(64), nullable=False),
    Column("scopes", Text, nullable=True),  # JSON array of `server/tool` patterns; null narrows nothing
    Column("shard", BigInteger, nullable=False, index=True),  # check.shard_of(id)
    Column("created_at", Float, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("not_after", Float, nullable=True),
    Column("revoked_at", Float, nullable=True),
)


def _usable(now: float) -> list[ColumnElement[bool]]:
    return [API_KEYS.c.revoked_at.is_(None), or_(API_KEYS.c.not_after.is_(None), API_KEYS.c.not_after > now)]


def keys(unit: Unit, low: int, high: int) -> list[KeyRow]:
    """The usable keys whose shard number is in `low`..`high`, both included, by id."""
    rows = unit.connection.execute(
        select(
            API_KEYS.c.id,
            API_KEYS.c.mac,
            API_KEYS.c.principal_id,
            API_KEYS.c.agent,
            API_KEYS.c.not_after,
            API_KEYS.c.scopes,
        )
        .where(API_KEYS.c.shard.between(low, high), *_usable(unit.now))
        .order_by(API_KEYS.c.id)
    )
    return [
        KeyRow(
            id=key_id,
            mac=mac,
            principal=principal,
            agent=agent,
            not_after=not_after,
            scopes=None if scopes is None else msgspec.json.decode(scopes, type=tuple[str, ...]),
        )
        for key_id, mac, principal, agent, not_after, scopes in rows
    ]


def count_keys(unit: Unit) -> int:
    """How many usable keys there are."""
    query = select(func.count()).select_from(API_KEYS).where(*_usable(unit.now))
    return int(unit.connection.execute(query).scalar_one())
