"""What an administrator says of single tools, in SQL: it outlives the server's removal, as the tools' names do."""

from sqlalchemy import Boolean, Column, String, Table, Text, delete, insert, select

from mcp_platform.store.schema import metadata
from mcp_platform.store.unit import Unit

TOOL_POLICIES = Table(
    "tool_policies",
    metadata,
    Column("server_name", String(32), primary_key=True),
    Column("tool_name", Text, primary_key=True),
    Column("read_only", Boolean(create_constraint=False), nullable=False),
)


def read_only(unit: Unit, server: str) -> frozenset[str]:
    """The tools of `server` that are marked as changing nothing."""
    rows = unit.connection.execute(
        select(TOOL_POLICIES.c.tool_name).where(TOOL_POLICIES.c.server_name == server, TOOL_POLICIES.c.read_only)
    )
    return frozenset(rows.scalars())


def mark(unit: Unit, server: str, tool: str, *, changes_nothing: bool) -> None:
    """Say it, in place of what was said before."""
    here = (TOOL_POLICIES.c.server_name == server, TOOL_POLICIES.c.tool_name == tool)
    unit.connection.execute(delete(TOOL_POLICIES).where(*here))
    values = {"server_name": server, "tool_name": tool, "read_only": changes_nothing}
    unit.connection.execute(insert(TOOL_POLICIES).values(**values))
