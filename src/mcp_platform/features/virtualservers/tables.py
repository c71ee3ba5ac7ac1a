"""Virtual servers in SQL. Items name their server by its name, so that they are there again when it is added again."""

from collections.abc import Collection, Iterable

import msgspec
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    String,
    Table,
    Text,
    UniqueConstraint,
    select,
)

from mcp_platform.features.virtualservers.model import VirtualItem, VirtualRow
from mcp_platform.store.schema import metadata
from mcp_platform.store.unit import Unit

VIRTUAL_SERVERS = Table(
    "virtual_servers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(32), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    # JSON array of names, and no foreign key: a role that is deleted must not leave the rest to everybody.
    Column("roles", Text, nullable=False),
    Column("tool_search", Boolean(create_constraint=False), nullable=False),
    Column("enabled", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Float, nullable=False),
)

VIRTUAL_ITEMS = Table(
    "virtual_items",
    metadata,
    Column("virtual_id", String(32), ForeignKey("virtual_servers.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("server_name", String(32), primary_key=True),
    Column("own", Text, primary_key=True),  # the server's own name, URI or template
    Column("exposed", String(64), nullable=True),  # null for what has a URI
    Column("description", Text, nullable=True),  # null: the server's own
    UniqueConstraint("virtual_id", "kind", "exposed"),
    CheckConstraint("kind IN ('tools', 'prompts', 'resources', 'templates')", name="kind"),
)


def enabled_ids(unit: Unit) -> list[str]:
    """Those that agents can reach."""
    return list(
        unit.connection.execute(
            select(VIRTUAL_SERVERS.c.id).where(VIRTUAL_SERVERS.c.enabled).order_by(VIRTUAL_SERVERS.c.id)
        ).scalars()
    )


def virtual_row(unit: Unit, virtual_id: str) -> VirtualRow:
    """One of them for the snapshot, without its items."""
    row = unit.connection.execute(select(VIRTUAL_SERVERS).where(VIRTUAL_SERVERS.c.id == virtual_id)).one()
    return VirtualRow(
        id=row.id,
        name=row.name,
        title=row.title,
        description=row.description,
        instructions=row.instructions,
        roles=roles_of(row.roles),
        tool_search=row.tool_search,
    )


def roles_of(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])


def virtual_items(unit: Unit, virtual_id: str) -> list[VirtualItem]:
    """What was chosen for one, in a fixed order."""
    columns = VIRTUAL_ITEMS.c
    rows = unit.connection.execute(
        select(VIRTUAL_ITEMS)
        .where(columns.virtual_id == virtual_id)
        .order_by(columns.kind, columns.server_name, columns.own)
    )
    return [VirtualItem(row.kind, row.server_name, row.own, row.exposed or "", row.description) for row in rows]


def item_values(virtual_id: str, items: Iterable[VirtualItem]) -> list[dict[str, object]]:
    """Rows to insert."""
    return [
        {
            "virtual_id": virtual_id,
            "kind": item.kind,
            "server_name": item.server,
            "own": item.own,
            "exposed": item.exposed or None,
            "description": item.description,
        }
        for item in items
    ]


def taken_names(items: Iterable[VirtualItem], kind: str, without: Collection[tuple[str, str]] = ()) -> set[str]:
    """The names that items of `kind` have, less those of the items (server, own) that are about to be chosen anew."""
    return {item.exposed for item in items if item.kind == kind and (item.server, item.own) not in without}
