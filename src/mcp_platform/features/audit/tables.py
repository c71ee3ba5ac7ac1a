"""The audit log of control, in SQL: every change and every refusal, each row bound to the one before by its hash."""

from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, String, Table, Text

from mcp_platform.store.schema import metadata

AUDIT_LOG = Table(
    "audit_log",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("time", Float, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("tag", String(64), nullable=False),
    Column("target", Text, nullable=True),
    Column("outcome", String(8), nullable=False),  # ok, refused or failed
    Column("error", String(64), nullable=True),  # error code
    Column("params", Text, nullable=False),  # JSON of what the action allows to be recorded
    Column("revision", BigInteger, nullable=False),  # after the entry
    Column("agent", String(64), nullable=True),
    Column("address", String(64), nullable=True),
    Column("previous", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
