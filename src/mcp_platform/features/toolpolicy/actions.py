"""What can be said of single tools."""

import msgspec
from sqlalchemy import select

from mcp_platform.base.nearest import unknown
from mcp_platform.features.toolpolicy.tables import mark
from mcp_platform.features.upstreams.errors import TOOL_NOT_THERE
from mcp_platform.features.upstreams.showing import id_of
from mcp_platform.features.upstreams.tables import UPSTREAM_TOOLS
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to say of which tool."""

    server: str
    tool: str
    """The server's own name for it."""
    read_only: bool
    """True: calling it changes nothing, so with `strict` durability a call need not wait until its intent is on the
    disk. What the server itself says of that (its annotations) is never believed."""


def mark_tool(unit: Unit, params: Mark, context: Context) -> Change:
    upstream = id_of(unit, params.server)
    listed = select(UPSTREAM_TOOLS.c.name).where(UPSTREAM_TOOLS.c.upstream_id == upstream)
    if unit.connection.execute(listed.where(UPSTREAM_TOOLS.c.name == params.tool)).first() is None:
        raise unknown(TOOL_NOT_THERE, params.tool, unit.connection.execute(listed).scalars())
    mark(unit, params.server, params.tool, changes_nothing=params.read_only)
    return Change(
        result={"server": params.server, "tool": params.tool, "read_only": params.read_only},
        touched=Touched(upstreams=frozenset({upstream})),
        target=f"{params.server}/{params.tool}",
    )


ACTIONS = (
    Action(
        name="tool.mark",
        permission=Permission.TOOLS_POLICY_CHANGE,
        audit=Tag.TOOLS_POLICY_MARK,
        params=Mark,
        run=mark_tool,
        summary="Says whether a tool changes nothing, which lets strict durability call it without waiting.",
        records=("server", "tool", "read_only"),
    ),
)
