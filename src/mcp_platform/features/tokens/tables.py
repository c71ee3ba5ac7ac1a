"""Admin tokens in SQL: id, MAC and what each may; never the token."""

import msgspec
from sqlalchemy import Column, Float, LargeBinary, String, Table, Text, select

from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.features.tokens.check import mac, parse, verify
from mcp_platform.features.tokens.errors import ADMIN_TOKEN_INVALID
from mcp_platform.store.permission import Permission
from mcp_platform.store.schema import metadata
from mcp_platform.store.unit import Unit

ADMIN_TOKENS = Table(
    "admin_tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("mac", LargeBinary(32), nullable=False),
    Column("agent", String(64), nullable=False),
    Column("permissions", Text, nullable=False),  # JSON array
    Column("created_at", Float, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("not_after", Float, nullable=False),
    Column("revoked_at", Float, nullable=True),
)


class Holder(msgspec.Struct, frozen=True):
    """Whoever holds a token that is good."""

    id: str
    agent: str
    permissions: frozenset[Permission]


def holder_of(unit: Unit, data_key: bytes, text: str) -> Holder:
    """Raises Fault(admin_token_invalid | admin_token_expired)."""
    token_id = parse(text)
    if token_id is None:
        raise Fault(ADMIN_TOKEN_INVALID)
    row = unit.connection.execute(select(ADMIN_TOKENS).where(ADMIN_TOKENS.c.id == token_id)).first()
    sent = mac(data_key, text)
    wrong: ErrorKind | None
    if row is None:
        wrong = verify(None, sent, 0.0, True, unit.now)
    else:
        wrong = verify(row.mac, sent, row.not_after, row.revoked_at is not None, unit.now)
    if wrong is not None:
        raise Fault(wrong)
    assert row is not None, "an unknown id is never good"
    known = {permission.value for permission in Permission}
    held = msgspec.json.decode(row.permissions, type=list[str])
    return Holder(token_id, row.agent, frozenset(Permission(name) for name in held if name in known))


def require_good(unit: Unit, token_id: str) -> None:
    """That the token was not revoked meanwhile. Raises Fault(admin_token_invalid)."""
    revoked = select(ADMIN_TOKENS.c.revoked_at).where(ADMIN_TOKENS.c.id == token_id)
    row = unit.connection.execute(revoked).first()
    if row is None or row.revoked_at is not None:
        raise Fault(ADMIN_TOKEN_INVALID)
