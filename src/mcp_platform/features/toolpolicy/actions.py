"""What can be said of single tools."""

import msgspec
from sqlalchemy import select

from mcp_platform.base.errors import Fault
from mcp_platform.features.toolpolicy.errors import TOOL_NOT_THERE
from mcp_platform.features.toolpolicy.tables import mark
from mcp_platform.features.upstreams.errors import SERVER_UNKNOWN
from mcp_platform.features.upstreams.tables import UPSTREAM_TOOLS, UPSTREAMS
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
    upstream = unit.connection.execute(select(UPSTREAMS.c.id).where(UPSTREAMS.c.name == params.server)).scalar()
    if upstream is None:
        raise Fault(SERVER_UNKNOWN)
    here = (UPSTREAM_TOOLS.c.upstream_id == upstream, UPSTREAM_TOOLS.c.name == params.tool)
    if unit.connection.execute(select(UPSTREAM_TOOLS.c.name).where(*here)).first() is None:
        raise Fault(TOOL_NOT_THERE)
    mark(unit, params.server, params.tool, changes_nothing=params.read_only)
    return Change(
        result={"server": params.server, "tool": params.tool, "read_only": params.read_only},
        touched=Touched(upstreams=frozenset({str(upstream)})),
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
