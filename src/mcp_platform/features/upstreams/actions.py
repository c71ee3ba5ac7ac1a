"""What can be done to upstream servers. Adding one connects to it first; its secrets are sealed before they rest."""

import os
import pwd
from collections.abc import Set
from typing import Annotated

import msgspec
from sqlalchemy import delete, func, insert, select, tuple_

from mcp_platform.base import ids
from mcp_platform.base.errors import INVALID, Fault
from mcp_platform.features.upstreams.check import (
    ServerSpec,
    ToolSeen,
    check_spec,
    description_of,
    exposed_name,
    renamed,
)
from mcp_platform.features.upstreams.errors import SERVER_EXISTS, SERVER_UNKNOWN
from mcp_platform.features.upstreams.look import Looked, look
from mcp_platform.features.upstreams.tables import (
    EXPOSED_NAMES,
    UPSTREAM_TOOLS,
    UPSTREAMS,
    Access,
    open_access,
    seal_access,
    taken_names,
)
from mcp_platform.net.client_trust import Trust
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.page import Which, cut, turn
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_CALL_TIMEOUT_S = 3600.0
"""Seconds a call may be silent, at most: an hour, as `upstreams.max_call_s`."""
MAX_LISTED = 1000
"""Tools in one answer, which is one line of at most 1 MiB."""
MAX_SHOWN_CHARACTERS = 160
"""Characters of a name or description in a listing."""
UNCONFINED = "This server runs unconfined: it may do whatever the platform's own user may do."


class NewServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server: a URL or a command."""

    name: str
    url: str | None = None
    command: tuple[str, ...] = ()
    """The program and its arguments; no shell reads them."""
    env: dict[str, str] = {}
    headers: dict[str, str] = {}
    cwd: str | None = None
    trust: Trust | None = None
    """For https: whom its certificate must come from, which keys it may have, and who we are to it."""
    shared: bool = False
    """True: one process or session for all, which is told of no client capability."""
    call_timeout_s: float | None = None
    """Seconds a call may be silent; None: as the setting says."""


class ServerNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which server."""

    name: str


class WhichServers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose tools."""

    name: str | None = None
    """None: every server's."""
    offset: int = 0
    """How many to leave out: a listing holds 1000."""
    after: tuple[str, str] | None = None
    """Only what follows this server and tool."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LISTED)] = MAX_LISTED


def gather_new(unit: Unit, params: NewServer, context: Context) -> ServerSpec:
    spec = ServerSpec(
        name=params.name,
        transport="http" if params.url is not None else "stdio",
        url=params.url,
        argv=params.command,
        headers=params.headers,
        env=params.env,
        cwd=params.cwd,
        interactive=not params.shared,
        trust=params.trust,
    )
    check_spec(spec)
    if params.call_timeout_s is not None and not 0 < params.call_timeout_s <= MAX_CALL_TIMEOUT_S:
        raise Fault(INVALID, "The call time-out is more than 0 and at most 3600 seconds.")
    _refuse_taken(unit, params.name)
    return spec


def _refuse_taken(unit: Unit, name: str) -> None:
    if unit.connection.execute(select(UPSTREAMS.c.id).where(UPSTREAMS.c.name == name)).first() is not None:
        raise Fault(SERVER_EXISTS)


def add_server(unit: Unit, params: NewServer, context: Context) -> Change:
    _refuse_taken(unit, params.name)  # again: somebody may have added it while we looked
    looked: Looked = context.found
    upstream_id = ids.new_id("ups")
    http = params.url is not None
    access = Access(params.headers, list(params.command), params.env, params.cwd, params.trust)
    unit.connection.execute(
        insert(UPSTREAMS).values(
            id=upstream_id,
            name=params.name,
            transport="http" if http else "stdio",
            url=params.url,
            program=None if http else params.command[0],
            access=seal_access(context.secrets.data_key, upstream_id, access),
            version=1,
            has_credentials=bool(params.headers) or params.trust is not None,
            interactive=not params.shared,
            call_timeout_s=params.call_timeout_s,
            enabled=True,
            era=looked.era,
            created_at=unit.now,
        )
    )
    listed = _store_tools(unit, upstream_id, params.name, looked.tools)
    shown = [tool for tool in listed if tool["exposed"] is not None]
    skipped = [tool for tool in listed if tool["exposed"] is None]
    isolation = context.settings.upstreams.isolation
    return Change(
        result={
            "name": params.name,
            "id": upstream_id,
            "transport": "http" if http else "stdio",
            "era": looked.era,
            "server": looked.server,
            "tool_count": len(shown),
            "tools": shown[:MAX_LISTED],
            "skipped_count": len(skipped),
            "skipped": skipped[:MAX_LISTED],
            "unreadable_count": looked.unnamed,
            **({} if http else {"isolation": isolation, "user": _user()}),
            "warnings": [] if http or isolation != "none" else [UNCONFINED],
        },
        touched=Touched(upstreams=frozenset({upstream_id})),
        target=params.name,
    )


def _user() -> str:
    """As whom a stdio server runs; a container may have no name for it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def _store_tools(unit: Unit, upstream_id: str, server: str, tools: tuple[ToolSeen, ...]) -> list[dict[str, object]]:
    """An operator who adds a server approves the tools it has at that moment."""
    taken = taken_names(unit)
    names: list[dict[str, object]] = []
    rows: list[dict[str, object]] = []
    listed: list[dict[str, object]] = []
    for tool in tools:
        exposed = None if tool.skipped is not None else exposed_name(server, tool.name, taken)
        skipped = tool.skipped
        if exposed is None and skipped is None:
            skipped = "its name is another tool's, or has characters or a length that clients do not take"
        if exposed is not None and exposed not in taken:
            taken[exposed] = (server, tool.name)
            names.append({"name": exposed, "server_name": server, "tool_name": tool.name, "assigned_at": unit.now})
        rows.append(
            {
                "upstream_id": upstream_id,
                "name": tool.name,
                "exposed": exposed,
                "skipped": skipped,
                "definition": tool.definition if exposed is None else renamed(tool.definition, exposed),
                "definition_hash": tool.definition_hash,
                "input_schema": tool.input_schema,
                "approved_at": None if exposed is None else unit.now,
            }
        )
        listed.append(_shown(tool.name, exposed, skipped, tool.definition))
    if names:
        unit.connection.execute(insert(EXPOSED_NAMES), names)
    if rows:
        unit.connection.execute(insert(UPSTREAM_TOOLS), rows)
    return listed


def _shown(name: str, exposed: str | None, skipped: str | None, definition: bytes) -> dict[str, object]:
    """One tool for the operator's eyes; what the server wrote is cut to a length that a listing can hold."""
    return {
        "name": name[:MAX_SHOWN_CHARACTERS],
        "exposed": exposed,
        "skipped": skipped,
        "description": description_of(definition)[:MAX_SHOWN_CHARACTERS],
    }


def list_servers(unit: Unit, params: Which, context: Context) -> Change:
    counts = {
        row.upstream_id: row.tools
        for row in unit.connection.execute(
            select(UPSTREAM_TOOLS.c.upstream_id, func.count(UPSTREAM_TOOLS.c.approved_at).label("tools")).group_by(
                UPSTREAM_TOOLS.c.upstream_id
            )
        )
    }
    listed = [
        {
            "name": row.name,
            "id": row.id,
            "transport": row.transport,
            "url": row.url,
            "program": row.program,
            "shared": not row.interactive,
            "has_credentials": row.has_credentials,
            "era": row.era,
            "enabled": row.enabled,
            "tools": counts.get(row.id, 0),
            "created_at": row.created_at,
        }
        for row in unit.connection.execute(turn(select(UPSTREAMS), UPSTREAMS.c.name, params))
    ]
    return Change(result=cut("servers", listed, params))


def remove_server(unit: Unit, params: ServerNamed, context: Context) -> Change:
    """Everything of it goes, its secrets first of all; the names that agents knew stay reserved for it."""
    upstream_id = _id_of(unit, params.name)
    unit.connection.execute(delete(UPSTREAM_TOOLS).where(UPSTREAM_TOOLS.c.upstream_id == upstream_id))
    unit.connection.execute(delete(UPSTREAMS).where(UPSTREAMS.c.id == upstream_id))
    return Change(
        result={"name": params.name, "removed": True},
        touched=Touched(upstreams=frozenset({upstream_id})),
        target=params.name,
    )


def _id_of(unit: Unit, name: str) -> str:
    found = unit.connection.execute(select(UPSTREAMS.c.id).where(UPSTREAMS.c.name == name)).scalar_one_or_none()
    if found is None:
        raise Fault(SERVER_UNKNOWN)
    return str(found)


def list_tools(unit: Unit, params: WhichServers, context: Context) -> Change:
    query = select(UPSTREAM_TOOLS, UPSTREAMS.c.name.label("server")).join(
        UPSTREAMS, UPSTREAMS.c.id == UPSTREAM_TOOLS.c.upstream_id
    )
    if params.name is not None:
        query = query.where(UPSTREAMS.c.id == _id_of(unit, params.name))
    if params.after is not None:
        query = query.where(tuple_(UPSTREAMS.c.name, UPSTREAM_TOOLS.c.name) > params.after)
    listed = [
        {
            "server": row.server,
            **_shown(row.name, row.exposed, row.skipped, row.definition),
            "approved": row.approved_at is not None,
            "definition_hash": row.definition_hash,
        }
        for row in unit.connection.execute(
            query.order_by(UPSTREAMS.c.name, UPSTREAM_TOOLS.c.name).offset(params.offset).limit(params.limit + 1)
        )
    ]
    return Change(result={"tools": listed[: params.limit], "more": len(listed) > params.limit})


def gather_known(unit: Unit, params: ServerNamed, context: Context) -> ServerSpec:
    upstream_id = _id_of(unit, params.name)
    row = unit.connection.execute(select(UPSTREAMS).where(UPSTREAMS.c.id == upstream_id)).one()
    access = open_access(unit, context.secrets.data_key, upstream_id)
    assert access is not None, "the row was found in this transaction"
    return ServerSpec(
        name=row.name,
        transport=row.transport,
        url=row.url,
        argv=tuple(access.argv),
        headers=access.headers,
        env=access.env,
        cwd=access.cwd,
        interactive=row.interactive,
        trust=access.trust,
    )


def test_server(unit: Unit, params: ServerNamed, context: Context) -> Change:
    """What the server says now, beside what was approved. Changes nothing."""
    looked: Looked = context.found
    rows = unit.connection.execute(
        select(UPSTREAM_TOOLS.c.name, UPSTREAM_TOOLS.c.definition_hash).where(
            UPSTREAM_TOOLS.c.upstream_id == _id_of(unit, params.name)
        )
    )
    known = {row.name: row.definition_hash for row in rows}
    seen = {tool.name: tool.definition_hash for tool in looked.tools}
    return Change(
        result={
            "name": params.name,
            "era": looked.era,
            "server": looked.server,
            "ms": looked.ms,
            "tool_count": len(seen),
            "new": _names(seen.keys() - known.keys()),
            "gone": _names(known.keys() - seen.keys()),
            "changed": _names({name for name in seen.keys() & known.keys() if seen[name] != known[name]}),
        },
        target=params.name,
    )


def _names(names: Set[str]) -> list[str]:
    return [name[:MAX_SHOWN_CHARACTERS] for name in sorted(names)[:MAX_LISTED]]


ACTIONS = (
    Action(
        name="server.add",
        permission=Permission.UPSTREAMS_SERVER_CHANGE,
        audit=Tag.UPSTREAMS_SERVER_ADD,
        params=NewServer,
        run=add_server,
        summary="Connects to an MCP server, approves the tools it has, and lets agents call them as their roles allow.",
        records=("name", "url", "shared", "call_timeout_s", "cwd"),
        withholds=("command", "env", "headers", "trust"),
        gather=gather_new,
        look=look,
        looking="Connecting to the server and listing its tools",
    ),
    Action(
        name="server.list",
        permission=Permission.UPSTREAMS_SERVER_READ,
        audit=Tag.UPSTREAMS_SERVER_LIST,
        params=Which,
        run=list_servers,
        summary="Lists the MCP servers behind the platform.",
        records=("name", "after", "limit"),
        reads=True,
    ),
    Action(
        name="server.remove",
        permission=Permission.UPSTREAMS_SERVER_CHANGE,
        audit=Tag.UPSTREAMS_SERVER_REMOVE,
        params=ServerNamed,
        run=remove_server,
        summary="Removes a server with its secrets; the names of its tools stay reserved for it.",
        records=("name",),
    ),
    Action(
        name="server.test",
        permission=Permission.UPSTREAMS_SERVER_TEST,
        audit=Tag.UPSTREAMS_SERVER_TEST,
        params=ServerNamed,
        run=test_server,
        summary="Connects to a server and says how its tools differ from those approved.",
        records=("name",),
        reads=True,
        gather=gather_known,
        look=look,
        looking="Connecting to the server and listing its tools",
    ),
    Action(
        name="server.tools",
        permission=Permission.UPSTREAMS_SERVER_READ,
        audit=Tag.UPSTREAMS_SERVER_TOOLS,
        params=WhichServers,
        run=list_tools,
        summary="Lists the tools of one server or of all, with the names that agents see.",
        records=("name", "offset", "after", "limit"),
        reads=True,
    ),
)
