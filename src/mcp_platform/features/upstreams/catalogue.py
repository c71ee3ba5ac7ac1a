"""What a server lists, kept in SQL beside what was approved of it.

A tool that is new, or is no longer what was approved, waits for an operator: until then agents see what was approved
and nothing else. Prompts and resources are data that the server names, so they follow its lists. Names and URIs that
agents once saw stay reserved for ever.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update

from mcp_platform.features.upstreams.check import exposed_name
from mcp_platform.features.upstreams.look import Looked
from mcp_platform.features.upstreams.offered import ItemSeen, ToolSeen, renamed
from mcp_platform.features.upstreams.tables import (
    EXPOSED_NAMES,
    EXPOSED_PROMPTS,
    EXPOSED_URIS,
    UPSTREAM_ITEMS,
    UPSTREAM_TOOLS,
    UPSTREAMS,
    taken_names,
    taken_prompts,
    taken_uris,
)
from mcp_platform.features.upstreams.uris import exposed_uri, qualified
from mcp_platform.store.unit import Unit

MAX_RESERVED = 100_000
"""Names of prompts, or URIs, that one server may ever have assigned: lists that are always new must not fill the
database. Beyond it a URI gets the form that needs no reservation, and a prompt is left out."""
NO_NAME = "its name is another's, or has characters or a length that clients do not take"
_KEYS = {"prompts": "name", "resources": "uri", "templates": "uriTemplate"}


@dataclass(slots=True)
class Merged:
    """How what a server lists differs from what was kept."""

    kinds: set[str] = field(default_factory=set)
    """Lists of which agents see others now: `tools`, `prompts`, `resources` (which stands for templates too)."""
    new: list[str] = field(default_factory=list)
    """Tools that await approval; likewise `changed`."""
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Tools that agents saw and that the server lists no more."""


def listing_hash(looked: Looked) -> str:
    """Equal where two looks brought the same, in whatever order."""
    said = [
        looked.era,
        looked.capabilities.decode("utf-8", "replace"),
        looked.server_info.decode("utf-8", "replace"),
        looked.instructions,
        sorted((tool.name, tool.definition_hash, tool.skipped or "") for tool in looked.tools),
        [
            (kind, sorted((item.key, item.definition_hash, item.skipped or "") for item in looked.items[kind]))
            for kind in sorted(looked.items)
        ],
        sorted(looked.problems.items()),
    ]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def merge(unit: Unit, upstream_id: str, server: str, looked: Looked) -> Merged:
    """Keep what a look brought. Approves nothing."""
    merged = Merged()
    _merge_tools(unit, upstream_id, looked.tools, merged)
    for kind, seen in looked.items.items():
        if _merge_items(unit, upstream_id, server, kind, seen):
            merged.kinds.add("resources" if kind == "templates" else kind)
    unit.connection.execute(
        update(UPSTREAMS)
        .where(UPSTREAMS.c.id == upstream_id)
        .values(
            era=looked.era,
            capabilities=looked.capabilities,
            server_info=looked.server_info,
            instructions=looked.instructions,
            listing_hash=listing_hash(looked),
            problems=msgspec.json.encode(looked.problems).decode(),
            stale="",
            stale_at=None,
        )
    )
    return merged


def _merge_tools(unit: Unit, upstream_id: str, tools: tuple[ToolSeen, ...], merged: Merged) -> None:
    known = {
        row.name: row
        for row in unit.connection.execute(select(UPSTREAM_TOOLS).where(UPSTREAM_TOOLS.c.upstream_id == upstream_id))
    }
    added: list[dict[str, object]] = []
    for tool in tools:
        row = known.pop(tool.name, None)
        if row is None:
            added.append({"upstream_id": upstream_id, "name": tool.name, **_unapproved(tool)})
            if tool.skipped is None:
                merged.new.append(tool.name)
        elif row.approved_at is None:
            if (row.definition_hash, _said(row.skipped)) != (tool.definition_hash, tool.skipped):
                _update_tool(unit, row, _unapproved(tool))
        else:
            _compare(unit, row, tool, merged)
    if added:
        unit.connection.execute(insert(UPSTREAM_TOOLS), added)
    for row in known.values():
        _leave(unit, row, merged)


def _said(skipped: str | None) -> str | None:
    """What there is to say against an item itself; that it could have no name was found here."""
    return None if skipped == NO_NAME else skipped


def _unapproved(tool: ToolSeen) -> dict[str, object]:
    """A tool that is not for agents: no name is assigned, or a server could take all that others may want."""
    return {
        "exposed": None,
        "skipped": tool.skipped,
        "definition": tool.definition,
        "definition_hash": tool.definition_hash,
        "input_schema": tool.input_schema,
        "approved_at": None,
    }


def _compare(unit: Unit, row: Row[Any], tool: ToolSeen, merged: Merged) -> None:
    """An approved tool: what agents see of it stays."""
    values: dict[str, object] = {}
    if row.gone_at is not None:
        values["gone_at"] = None
        merged.kinds.add("tools")
    if tool.definition_hash == row.definition_hash and tool.skipped is None:
        if row.seen_hash is not None:
            values |= _NOTHING_SEEN
    elif (row.seen_hash, row.seen_skipped) != (tool.definition_hash, tool.skipped):
        merged.changed.append(tool.name)
        values |= {
            "seen_definition": tool.definition,
            "seen_hash": tool.definition_hash,
            "seen_schema": tool.input_schema,
            "seen_skipped": tool.skipped,
        }
    if values:
        _update_tool(unit, row, values)


_NOTHING_SEEN: dict[str, object] = dict.fromkeys(("seen_definition", "seen_hash", "seen_schema", "seen_skipped"))


def _leave(unit: Unit, row: Row[Any], merged: Merged) -> None:
    """A tool that the server lists no more. One that was approved is remembered as it was approved."""
    if row.approved_at is None:
        unit.connection.execute(
            delete(UPSTREAM_TOOLS).where(
                UPSTREAM_TOOLS.c.upstream_id == row.upstream_id, UPSTREAM_TOOLS.c.name == row.name
            )
        )
    elif row.gone_at is None:
        _update_tool(unit, row, {"gone_at": unit.now, **_NOTHING_SEEN})
        merged.gone.append(row.name)
        merged.kinds.add("tools")


def _update_tool(unit: Unit, row: Row[Any], values: dict[str, object]) -> None:
    unit.connection.execute(
        update(UPSTREAM_TOOLS)
        .where(UPSTREAM_TOOLS.c.upstream_id == row.upstream_id, UPSTREAM_TOOLS.c.name == row.name)
        .values(**values)
    )


def pending(unit: Unit, upstream_id: str) -> list[Row[Any]]:
    """The tools of a server that await approval and can have it."""
    waits = UPSTREAM_TOOLS.c.approved_at.is_(None) & UPSTREAM_TOOLS.c.skipped.is_(None)
    differs = UPSTREAM_TOOLS.c.seen_hash.is_not(None) & UPSTREAM_TOOLS.c.seen_skipped.is_(None)
    query = select(UPSTREAM_TOOLS).where(UPSTREAM_TOOLS.c.upstream_id == upstream_id, waits | differs)
    return list(unit.connection.execute(query.order_by(UPSTREAM_TOOLS.c.name)))


def approve(unit: Unit, server: str, rows: Iterable[Row[Any]]) -> tuple[list[str], list[str]]:
    """Approve these tools as the server was last seen to list them. Gives the names of those that agents see now as
    they are, and of those that can have no name."""
    taken = taken_names(unit)
    approved: list[str] = []
    nameless: list[str] = []
    for row in rows:
        seen = row.seen_hash is not None
        definition, schema = (row.seen_definition, row.seen_schema) if seen else (row.definition, row.input_schema)
        exposed = row.exposed if row.approved_at is not None else exposed_name(server, row.name, taken)
        if exposed is None:
            _update_tool(unit, row, {"skipped": NO_NAME})
            nameless.append(row.name)
            continue
        if exposed not in taken:
            taken[exposed] = (server, row.name)
            unit.connection.execute(
                insert(EXPOSED_NAMES).values(name=exposed, server_name=server, tool_name=row.name, assigned_at=unit.now)
            )
        values = {
            "exposed": exposed,
            "definition": renamed(definition, exposed),
            "definition_hash": row.seen_hash if seen else row.definition_hash,
            "input_schema": schema,
            "approved_at": unit.now,
        }
        _update_tool(unit, row, values | _NOTHING_SEEN)
        approved.append(row.name)
    return approved, nameless


def _merge_items(unit: Unit, upstream_id: str, server: str, kind: str, seen: tuple[ItemSeen, ...]) -> bool:
    """Whether agents see something else now."""
    here = (UPSTREAM_ITEMS.c.upstream_id == upstream_id, UPSTREAM_ITEMS.c.kind == kind)
    known = {
        row.own: (row.definition_hash, row.skipped, row.exposed)
        for row in unit.connection.execute(
            select(
                UPSTREAM_ITEMS.c.own,
                UPSTREAM_ITEMS.c.definition_hash,
                UPSTREAM_ITEMS.c.skipped,
                UPSTREAM_ITEMS.c.exposed,
            ).where(*here)
        )
    }
    others = [item for item in seen if not _is_known(item, known)]
    outdated = [*known.keys() - {item.key for item in seen}, *(item.key for item in others if item.key in known)]
    for start in range(0, len(outdated), 500):
        unit.connection.execute(
            delete(UPSTREAM_ITEMS).where(*here, UPSTREAM_ITEMS.c.own.in_(outdated[start : start + 500]))
        )
    exposed = _exposed(unit, server, kind, [item.key for item in others if item.skipped is None])
    rows = [
        {
            "upstream_id": upstream_id,
            "kind": kind,
            "own": item.key,
            "exposed": exposed.get(item.key),
            "skipped": item.skipped if item.key in exposed or item.skipped is not None else NO_NAME,
            "definition": renamed(item.definition, exposed.get(item.key, item.key), _KEYS[kind]),
            "definition_hash": item.definition_hash,
        }
        for item in others
    ]
    if rows:
        unit.connection.execute(insert(UPSTREAM_ITEMS), rows)
    return any(known[own][2] is not None for own in outdated) or bool(exposed)


def _is_known(item: ItemSeen, known: dict[str, tuple[str, str | None, str | None]]) -> bool:
    """Whether it is kept as it is."""
    kept = known.get(item.key)
    return kept is not None and (kept[0], _said(kept[1])) == (item.definition_hash, item.skipped)


def _exposed(unit: Unit, server: str, kind: str, keys: list[str]) -> dict[str, str]:
    """The name or URI that agents see each by; those that can have none are not here."""
    return _prompt_names(unit, server, keys) if kind == "prompts" else _uris(unit, server, kind, keys)


def _prompt_names(unit: Unit, server: str, names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    taken = taken_prompts(unit)
    room = MAX_RESERVED - sum(owner[0] == server for owner in taken.values())
    found: dict[str, str] = {}
    assigned: list[dict[str, object]] = []
    for own in names:
        exposed = exposed_name(server, own, taken)
        if exposed is None or (exposed not in taken and len(assigned) >= room):
            continue
        if exposed not in taken:
            taken[exposed] = (server, own)
            assigned.append({"name": exposed, "server_name": server, "prompt_name": own, "assigned_at": unit.now})
        found[own] = exposed
    if assigned:
        unit.connection.execute(insert(EXPOSED_PROMPTS), assigned)
    return found


def _uris(unit: Unit, server: str, kind: str, uris: list[str]) -> dict[str, str]:
    if not uris:
        return {}
    taken = taken_uris(unit, uris)
    count = select(func.count()).select_from(EXPOSED_URIS).where(EXPOSED_URIS.c.server_name == server)
    room = MAX_RESERVED - unit.connection.execute(count).scalar_one()
    found: dict[str, str] = {}
    assigned: list[dict[str, object]] = []
    for own in uris:
        if own not in taken and len(assigned) >= room:
            found[own] = qualified(server, own, template=kind == "templates")
            continue
        found[own] = exposed_uri(server, own, taken, template=kind == "templates")
        if found[own] == own and own not in taken:
            taken[own] = server
            assigned.append({"uri": own, "server_name": server, "assigned_at": unit.now})
    if assigned:
        unit.connection.execute(insert(EXPOSED_URIS), assigned)
    return found
