"""What can be done to upstream servers. Adding one connects to it first; its secrets are sealed before they rest."""

import os
import pwd
from collections.abc import Iterable

import msgspec
from sqlalchemy import delete, insert, select, update

from mcp_platform.base import ids
from mcp_platform.base.errors import INVALID, Fault
from mcp_platform.features.upstreams.catalogue import approve, listing_hash, merge, pending
from mcp_platform.features.upstreams.check import ServerSpec, check_spec
from mcp_platform.features.upstreams.errors import SERVER_EXISTS, TOOLS_NOT_AS_SHOWN
from mcp_platform.features.upstreams.look import Looked, look
from mcp_platform.features.upstreams.showing import (
    MAX_LISTED,
    ServerNamed,
    awaiting,
    gather_known,
    id_of,
    listed_counts,
    listed_tools,
    short_names,
)
from mcp_platform.features.upstreams.tables import (
    UPSTREAM_ITEMS,
    UPSTREAM_TOOLS,
    UPSTREAMS,
    Access,
    seal_access,
)
from mcp_platform.features.upstreams.waiting import seal_of, waiting_tools
from mcp_platform.net.client_trust import Trust
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_CALL_TIMEOUT_S = 3600.0
"""Seconds a call may be silent, at most: an hour, as `upstreams.max_call_s`."""
KINDS = ("tools", "prompts", "resources")
"""Lists that clients hear of; `resources` stands for templates too."""
ACCEPTS = "This server may change what its tools say and do without anybody looking (accept_changes)."
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
    accept_changes: bool = False
    """True: new and changed tools are approved as soon as they are seen. Warning: this allows a server to change what
    its tools say and do without anybody looking."""
    sse: bool = False
    """True: the URL is one of HTTP+SSE (2024-11-05)."""


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which tools of which server."""

    name: str
    tools: tuple[str, ...] | None = None
    """The server's own names for them; None: every one that awaits approval."""
    seen: str | None = None
    """What `server.changes` said of exactly these: where they are others by now, nothing is approved."""


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which server is not reached, and why."""

    name: str
    code: str
    """Stable code of the error."""


def gather_new(unit: Unit, params: NewServer, context: Context) -> ServerSpec:
    spec = ServerSpec(
        name=params.name,
        transport="sse" if params.sse else "stdio" if params.url is None else "http",
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
            sse=params.sse,
            instructions="",
            listing_hash="",
            problems="{}",
            accept_changes=params.accept_changes,
            stale="",
        )
    )
    merge(unit, upstream_id, params.name, looked)
    approve(unit, params.name, pending(unit, upstream_id))
    shown, skipped = listed_tools(unit, upstream_id)
    isolation = context.settings.upstreams.isolation
    warnings = [] if http or isolation != "none" else [UNCONFINED]
    return Change(
        result={
            "name": params.name,
            "id": upstream_id,
            "transport": "stdio" if not http else "sse" if params.sse else "http",
            "era": looked.era,
            "server": looked.server,
            "tool_count": len(shown),
            "tools": shown[:MAX_LISTED],
            "skipped_count": len(skipped),
            "skipped": skipped[:MAX_LISTED],
            "unreadable_count": looked.unnamed,
            **listed_counts(unit, upstream_id),
            "problems": dict(looked.problems),
            **({} if http else {"isolation": isolation, "user": _user()}),
            "warnings": [*warnings, *([ACCEPTS] if params.accept_changes else [])],
        },
        touched=_touched(upstream_id, KINDS),
        target=params.name,
    )


def _touched(upstream_id: str, kinds: Iterable[str]) -> Touched:
    return Touched(upstreams=frozenset({upstream_id}), lists=frozenset((upstream_id, kind) for kind in kinds))


def _user() -> str:
    """As whom a stdio server runs; a container may have no name for it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def remove_server(unit: Unit, params: ServerNamed, context: Context) -> Change:
    """Everything of it goes, its secrets first of all; the names that agents knew stay reserved for it."""
    upstream_id = id_of(unit, params.name)
    for table in (UPSTREAM_ITEMS, UPSTREAM_TOOLS):
        unit.connection.execute(delete(table).where(table.c.upstream_id == upstream_id))
    unit.connection.execute(delete(UPSTREAMS).where(UPSTREAMS.c.id == upstream_id))
    return Change(
        result={"name": params.name, "removed": True}, touched=_touched(upstream_id, KINDS), target=params.name
    )


def refresh_server(unit: Unit, params: ServerNamed, context: Context) -> Change:
    """Keep what the server lists now. What is new or changed of its tools waits, unless the operator said otherwise
    when the server was added: then the platform approves it in its own name, so that the log has each use of that."""
    looked: Looked = context.found
    upstream_id = id_of(unit, params.name)
    before = unit.connection.execute(select(UPSTREAMS).where(UPSTREAMS.c.id == upstream_id)).one()
    merged = merge(unit, upstream_id, params.name, looked)
    waiting = [row.name for row in pending(unit, upstream_id)]
    accepted = waiting if before.accept_changes else []
    return Change(
        result={
            "name": params.name,
            "era": looked.era,
            "ms": looked.ms,
            "lists": sorted(merged.kinds),
            "same": before.listing_hash == listing_hash(looked),
            **listed_counts(unit, upstream_id),
            "new": short_names(merged.new),
            "changed": short_names(merged.changed),
            "gone": short_names(merged.gone),
            "awaiting": 0 if accepted else awaiting(unit, upstream_id),
            "accepted": short_names(accepted),
            "problems": dict(looked.problems),
            "unreadable_count": looked.unnamed,
        },
        touched=_touched(upstream_id, merged.kinds),
        target=params.name,
        then=(("server.approve", {"name": params.name, "tools": accepted}),) if accepted else (),
    )


def approve_tools(unit: Unit, params: Approval, context: Context) -> Change:
    """As the server was last seen to list them: what it lists a moment later is another change."""
    upstream_id = id_of(unit, params.name)
    waiting = waiting_tools(unit, upstream_id, params.tools)
    if params.seen is not None and params.seen != seal_of(waiting):
        raise Fault(TOOLS_NOT_AS_SHOWN)
    approved, nameless = approve(unit, params.name, waiting)
    return Change(
        result={
            "name": params.name,
            "approved": short_names(approved),
            "approved_count": len(approved),
            "nameless": short_names(nameless),
            "awaiting": awaiting(unit, upstream_id),
        },
        touched=_touched(upstream_id, ["tools"] if approved else []),
        target=params.name,
    )


def mark_stale(unit: Unit, params: Failed, context: Context) -> Change:
    """The lists stay as they are, and say since when nobody could ask for newer ones."""
    upstream_id = id_of(unit, params.name)
    unit.connection.execute(
        update(UPSTREAMS).where(UPSTREAMS.c.id == upstream_id).values(stale=params.code, stale_at=unit.now)
    )
    return Change(result={"name": params.name, "stale": params.code}, target=params.name)


ACTIONS = (
    Action(
        name="server.add",
        permission=Permission.UPSTREAMS_SERVER_CHANGE,
        audit=Tag.UPSTREAMS_SERVER_ADD,
        params=NewServer,
        run=add_server,
        summary="Connects to an MCP server, approves the tools it has, and lets agents call them as their roles allow.",
        records=("name", "url", "shared", "call_timeout_s", "cwd", "accept_changes", "sse"),
        withholds=("command", "env", "headers", "trust"),
        gather=gather_new,
        look=look,
        looking="Connecting to server {name} and listing what it offers",
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
        name="server.refresh",
        permission=Permission.UPSTREAMS_SERVER_REFRESH,
        audit=Tag.UPSTREAMS_SERVER_REFRESH,
        params=ServerNamed,
        run=refresh_server,
        summary="Lists again what a server offers; new and changed tools await approval.",
        records=("name",),
        gather=gather_known,
        look=look,
        looking="Connecting to server {name} and listing what it offers",
    ),
    Action(
        name="server.approve",
        permission=Permission.UPSTREAMS_TOOL_APPROVE,
        audit=Tag.UPSTREAMS_TOOL_APPROVE,
        params=Approval,
        run=approve_tools,
        summary="Approves tools that are new or changed, as the server was last seen to list them.",
        records=("name", "tools", "seen"),
    ),
    Action(
        name="server.stale",
        permission=Permission.UPSTREAMS_SERVER_CHANGE,
        audit=Tag.UPSTREAMS_SERVER_STALE,
        params=Failed,
        run=mark_stale,
        summary="Says of a server that it is not reached: what it listed last stays, marked as such.",
        records=("name", "code"),
        internal=True,
    ),
)
