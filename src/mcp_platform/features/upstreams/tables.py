"""Upstream servers, what they list and the names that agents see, in SQL. What is secret of a server stands sealed."""

from collections.abc import Sequence
from typing import TypeVar

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
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow, UpstreamRow
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
    Column("sse", Boolean(create_constraint=False), nullable=False),  # of `http`: by HTTP+SSE (2024-11-05)
    Column("capabilities", LargeBinary, nullable=True),  # JSON, as the server said; null: not heard yet
    Column("server_info", LargeBinary, nullable=True),  # likewise
    Column("instructions", Text, nullable=False),
    Column("listing_hash", String(64), nullable=False),  # of all that the last look brought; empty: none yet
    Column("problems", Text, nullable=False),  # JSON: kind that could not be listed → error code
    Column("accept_changes", Boolean(create_constraint=False), nullable=False),
    Column("stale", String(64), nullable=False),  # code of the error since which it is not reached; empty: it is
    Column("stale_at", Float, nullable=True),
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
    # What the server lists now, where that is not what was approved:
    Column("seen_definition", LargeBinary, nullable=True),
    Column("seen_hash", String(64), nullable=True),
    Column("seen_schema", LargeBinary, nullable=True),
    Column("seen_skipped", Text, nullable=True),  # why it cannot be approved
    Column("gone_at", Float, nullable=True),  # the server lists it no more
)

UPSTREAM_ITEMS = Table(
    "upstream_items",
    metadata,
    Column("upstream_id", String(32), ForeignKey("upstreams.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),  # prompts, resources or templates
    Column("own", Text, primary_key=True),  # the server's own name, URI or template
    Column("exposed", Text, nullable=True),  # null where it cannot be shown
    Column("skipped", Text, nullable=True),  # why it cannot
    Column("definition", LargeBinary, nullable=False),  # as the row in the snapshot has it
    Column("definition_hash", String(64), nullable=False),
    CheckConstraint("kind IN ('prompts', 'resources', 'templates')", name="kind"),
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

EXPOSED_PROMPTS = Table(
    "exposed_prompts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("server_name", String(32), nullable=False),
    Column("prompt_name", Text, nullable=False),
    Column("assigned_at", Float, nullable=False),
    UniqueConstraint("server_name", "prompt_name"),
)

EXPOSED_URIS = Table(
    "exposed_uris",
    metadata,
    Column("uri", Text, primary_key=True),  # of a resource or template, as its server calls it
    Column("server_name", String(32), nullable=False, index=True),
    Column("assigned_at", Float, nullable=False),
)

Item = TypeVar("Item", PromptRow, ResourceRow, TemplateRow)


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
    """Every name of a tool that was ever assigned, and whose (server, tool) it is."""
    rows = unit.connection.execute(select(EXPOSED_NAMES))
    return {row.name: (row.server_name, row.tool_name) for row in rows}


def taken_prompts(unit: Unit) -> dict[str, tuple[str, str]]:
    """Likewise of prompts."""
    rows = unit.connection.execute(select(EXPOSED_PROMPTS))
    return {row.name: (row.server_name, row.prompt_name) for row in rows}


def taken_uris(unit: Unit, uris: Sequence[str]) -> dict[str, str]:
    """Which of `uris` were ever assigned, and to which server."""
    taken: dict[str, str] = {}
    for start in range(0, len(uris), 500):  # SQLite takes 999 values in a statement, or more
        rows = unit.connection.execute(select(EXPOSED_URIS).where(EXPOSED_URIS.c.uri.in_(uris[start : start + 500])))
        taken.update((row.uri, row.server_name) for row in rows)
    return taken


def upstreams(unit: Unit, limits: Upstreams) -> list[UpstreamRow]:
    """Every server, for the snapshot; `limits` stands where a server has none of its own."""
    rows = unit.connection.execute(select(UPSTREAMS).order_by(UPSTREAMS.c.id))
    return [
        UpstreamRow(
            id=row.id,
            name=row.name,
            transport="sse" if row.sse else row.transport,
            url=row.url,
            version=row.version,
            has_credentials=row.has_credentials,
            interactive=row.interactive,
            call_timeout_s=row.call_timeout_s or limits.call_timeout_s,
            max_result_bytes=row.max_result_bytes or limits.max_result_bytes,
            enabled=row.enabled,
            era=row.era,
            capabilities=row.capabilities or b"{}",
            server_info=row.server_info or b"{}",
            instructions=row.instructions,
            stale=row.stale,
        )
        for row in rows
    ]


def tools(unit: Unit, upstream_id: str) -> list[ToolRow]:
    """The approved tools of one server that it still lists, for the snapshot."""
    rows = unit.connection.execute(
        select(UPSTREAM_TOOLS, UPSTREAMS.c.name.label("server"))
        .join(UPSTREAMS, UPSTREAMS.c.id == UPSTREAM_TOOLS.c.upstream_id)
        .where(
            UPSTREAM_TOOLS.c.upstream_id == upstream_id,
            UPSTREAM_TOOLS.c.exposed.is_not(None),
            UPSTREAM_TOOLS.c.approved_at.is_not(None),
            UPSTREAM_TOOLS.c.gone_at.is_(None),
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


def items(unit: Unit, upstream_id: str, kind: str, row_type: type[Item]) -> list[Item]:
    """The prompts, resources or templates of one server that agents may see, for the snapshot."""
    rows = unit.connection.execute(
        select(UPSTREAM_ITEMS, UPSTREAMS.c.name.label("server"))
        .join(UPSTREAMS, UPSTREAMS.c.id == UPSTREAM_ITEMS.c.upstream_id)
        .where(
            UPSTREAM_ITEMS.c.upstream_id == upstream_id,
            UPSTREAM_ITEMS.c.kind == kind,
            UPSTREAM_ITEMS.c.exposed.is_not(None),
        )
        .order_by(UPSTREAM_ITEMS.c.exposed)
    )
    return [
        row_type(row.upstream_id, row.server, row.own, row.exposed, row.definition, row.definition_hash) for row in rows
    ]
