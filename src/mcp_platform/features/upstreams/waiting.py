"""What waits for approval, and how it differs from what agents have. Changes nothing."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Row, select

from mcp_platform.base.errors import Fault
from mcp_platform.base.nearest import unknown
from mcp_platform.features.upstreams.catalogue import pending
from mcp_platform.features.upstreams.differences import differences
from mcp_platform.features.upstreams.errors import TOOL_NOT_PENDING, TOOL_NOT_THERE
from mcp_platform.features.upstreams.showing import MAX_SHOWN_CHARACTERS, id_of
from mcp_platform.features.upstreams.tables import UPSTREAM_TOOLS
from mcp_platform.store.action import Action, Change, Context
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_BYTES = 600 * 1024
"""Bytes of differences in one answer, about: it is one line of at most 1 MiB."""
_SEAL_CHARACTERS = 16
"""Hexadecimal: 64 bits, which no server can meet by trying within any time that matters."""
_ROOM_OF_A_TOOL = 6 * MAX_SHOWN_CHARACTERS + 256
"""Bytes of an answer for a tool's name, its hash and all around it, at most."""


class WhichChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which server."""

    name: str
    tool: str | None = None
    """The server's own name for it; None: every tool that awaits approval."""


def waiting_tools(unit: Unit, upstream_id: str, tools: Iterable[str] | None) -> list[Row[Any]]:
    """Those that await approval; `tools`: no others, each once. A name that no tool has is a slip, and what is nearest
    is named; of a tool that does not wait it is said. Raises Fault(tool_not_there, tool_not_pending)."""
    rows = {row.name: row for row in pending(unit, upstream_id)}
    if tools is None:
        return list(rows.values())
    wanted = list(dict.fromkeys(tools))
    known = select(UPSTREAM_TOOLS.c.name).where(UPSTREAM_TOOLS.c.upstream_id == upstream_id)
    for name in wanted:
        if name in rows:
            continue
        if unit.connection.execute(known.where(UPSTREAM_TOOLS.c.name == name)).first() is not None:
            raise Fault(TOOL_NOT_PENDING)
        raise unknown(TOOL_NOT_THERE, name, unit.connection.execute(known).scalars())
    return [rows[name] for name in wanted]


def seal_of(rows: Iterable[Row[Any]]) -> str:
    """A short word for exactly these definitions: what is approved by it is what was shown with it."""
    named = sorted(f"{row.name}\n{row.definition_hash if row.approved_at is None else row.seen_hash}" for row in rows)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:_SEAL_CHARACTERS]


def show_changes(unit: Unit, params: WhichChanges, context: Context) -> Change:
    """Of a new tool all that it says; what did not fit is counted, never left out in silence."""
    rows = waiting_tools(unit, id_of(unit, params.name), None if params.tool is None else [params.tool])
    listed: list[dict[str, object]] = []
    room = MAX_BYTES
    for row in rows:
        if room <= 0:
            break
        new = row.approved_at is None
        shown: list[object] = []
        left_out = 0
        for difference in differences(None if new else row.definition, row.definition if new else row.seen_definition):
            if difference.at == "name" and not new:
                continue  # what agents have says the name that they see; the tool is the same by its own
            if room > 0:
                shown.append(msgspec.to_builtins(difference))
                room -= len(json.dumps(shown[-1]))
            else:
                left_out += 1
        room -= _ROOM_OF_A_TOOL
        listed.append(
            {
                "name": row.name[:MAX_SHOWN_CHARACTERS],
                "state": "new" if new else "changed",
                "seen_hash": row.definition_hash if new else row.seen_hash,
                "differences": shown,
                "left_out": left_out,
            }
        )
    result = {"name": params.name, "tools": listed, "more": len(rows) - len(listed), "seen": seal_of(rows)}
    return Change(result=result, target=params.name)


ACTIONS = (
    Action(
        name="server.changes",
        permission=Permission.UPSTREAMS_SERVER_READ,
        audit=Tag.UPSTREAMS_SERVER_CHANGES,
        params=WhichChanges,
        run=show_changes,
        summary="Shows how tools that await approval differ from what agents have.",
        records=("name", "tool"),
        reads=True,
    ),
)
