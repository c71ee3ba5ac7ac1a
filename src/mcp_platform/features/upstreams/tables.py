"""Upstream servers, their tools and the names that agents see, in SQL. What is secret of a server stands sealed."""

import msgspec
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    select,
)

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.features.upstreams.model import ToolRow, UpstreamRow
from mcp_platform.features.vault.check import place, seal, unseal
from mcp_platform.net.client_trust import Trust
from mcp_platform.store.schema import metadata
from mcp_platform.store.unit import Unit

UPSTREAMS = Table(
    "upstreams",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(32), nullable=False, unique=True),
    Column("transport", String(8), nullable=False),
    Column("url", Text, nullable=True),
    Column("program", Text, nullable=True),  # the first word of a stdio server's command; the rest is sealed
    Column("access", LargeBinary, nullable=False),  # sealed JSON of Access
    Column("version", Integer, nullable=False),
    Column("has_credentials", Boolean(create_constraint=False), nullable=False),
    Column("interactive", Boolean(create_constraint=False), nullable=False),
    Column("call_timeout_s", Float, nullable=True),  # null: as the setting says
    Column("max_result_bytes", Integer, nullable=True),
    Column("enabled", Boolean(create_constraint=False), nullable=False),
    Column("era", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    CheckConstraint("transport IN ('http', 'stdio')", name="transport"),
)

UPSTREAM_TOOLS = Table(
    "upstream_tools",
    metadata,
    Column("upstream_id", String(32), ForeignKey("upstreams.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("exposed", String(64), nullable=True),  # null where the tool cannot be shown
    Column("skipped", Text, nullable=True),  # why it cannot
    Column("definition", LargeBinary, nullable=False),  # as ToolRow has it
    Column("definition_hash", String(64), nullable=False),
    Column("input_schema", LargeBinary, nullable=False),
    Column("approved_at", Float, nullable=True),  # null: not for agents
)

EXPOSED_NAMES = Table(
    "exposed_names",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("server_name", String(32), nullable=False),
    Column("tool_name", Text, nullable=False),
    Column("assigned_at", Float, nullable=False),
    UniqueConstraint("server_name", "tool_name"),
)


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is needed to reach or start a server. Rests only sealed."""

    headers: dict[str, str] = msgspec.field(default_factory=dict)
    argv: list[str] = msgspec.field(default_factory=list)
    env: dict[str, str] = msgspec.field(default_factory=dict)
    cwd: str | None = None
    trust: Trust | None = None

    def __repr__(self) -> str:
        return "<access>"


def seal_access(data_key: bytes, upstream_id: str, access: Access) -> bytes:
    return seal(data_key, msgspec.json.encode(access), place("upstreams", upstream_id, "access"))


def open_access(unit: Unit, data_key: bytes, upstream_id: str) -> Access | None:
    """None where there is no such server. Raises Fault(vault_unseal_failed)."""
    sealed = unit.connection.execute(
        select(UPSTREAMS.c.access).where(UPSTREAMS.c.id == upstream_id)
    ).scalar_one_or_none()
    if sealed is None:
        return None
    return msgspec.json.decode(unseal(data_key, sealed, place("upstreams", upstream_id, "access")), type=Access)


def taken_names(unit: Unit) -> dict[str, tuple[str, str]]:
    """Every name that was ever assigned, and whose (server, tool) it is."""
    rows = unit.connection.execute(select(EXPOSED_NAMES))
    return {row.name: (row.server_name, row.tool_name) for row in rows}


def upstreams(unit: Unit, limits: Upstreams) -> list[UpstreamRow]:
    """Every server, for the snapshot; `limits` stands where a server has none of its own."""
    rows = unit.connection.execute(select(UPSTREAMS).order_by(UPSTREAMS.c.id))
    return [
        UpstreamRow(
            id=row.id,
            name=row.name,
            transport=row.transport,
            url=row.url,
            version=row.version,
            has_credentials=row.has_credentials,
            interactive=row.interactive,
            call_timeout_s=row.call_timeout_s or limits.call_timeout_s,
            max_result_bytes=row.max_result_bytes or limits.max_result_bytes,
            enabled=row.enabled,
        )
        for row in rows
    ]


def tools(unit: Unit, upstream_id: str) -> list[ToolRow]:
    """The approved tools of one server, for the snapshot."""
    rows = unit.connection.execute(
        select(UPSTREAM_TOOLS, UPSTREAMS.c.name.label("server"))
        .join(UPSTREAMS, UPSTREAMS.c.id == UPSTREAM_TOOLS.c.upstream_id)
        .where(
            UPSTREAM_TOOLS.c.upstream_id == upstream_id,
            UPSTREAM_TOOLS.c.exposed.is_not(None),
            UPSTREAM_TOOLS.c.approved_at.is_not(None),
        )
        .order_by(UPSTREAM_TOOLS.c.exposed)
    )
    return [
        ToolRow(
            upstream=row.upstream_id,
            server=row.server,
            name=row.name,
            exposed=row.exposed,
            definition=row.definition,
            definition_hash=row.definition_hash,
            input_schema=row.input_schema,
        )
        for row in rows
    ]
