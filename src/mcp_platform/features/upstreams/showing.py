"""What can be asked about upstream servers and what they list. Changes nothing."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from sqlalchemy import Row, and_, case, func, or_, select, tuple_

from mcp_platform.base.nearest import unknown
from mcp_platform.features.upstreams.check import ServerSpec
from mcp_platform.features.upstreams.errors import SERVER_UNKNOWN
from mcp_platform.features.upstreams.look import Looked, look
from mcp_platform.features.upstreams.offered import CHARACTERS_PER_TOKEN, description_of, token_cost
from mcp_platform.features.upstreams.tables import UPSTREAM_ITEMS, UPSTREAM_TOOLS, UPSTREAMS, open_access
from mcp_platform.store.action import Action, Change, Context
from mcp_platform.store.page import Which, cut, turn
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_LISTED = 1000
"""Things in one answer, which is one line of at most 1 MiB."""
MAX_SHOWN_CHARACTERS = 160
"""Characters of a name or description in a listing."""
_LIVE = and_(UPSTREAM_TOOLS.c.approved_at.is_not(None), UPSTREAM_TOOLS.c.gone_at.is_(None))
_AWAITING = or_(
    and_(UPSTREAM_TOOLS.c.approved_at.is_(None), UPSTREAM_TOOLS.c.skipped.is_(None)),
    and_(UPSTREAM_TOOLS.c.seen_hash.is_not(None), UPSTREAM_TOOLS.c.seen_skipped.is_(None)),
)


class ServerNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which server."""

    name: str


class WhichServers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose tools or prompts."""

    name: str | None = None
    """None: every server's."""
    offset: int = 0
    """How many to leave out: a listing holds 1000."""
    after: tuple[str, str] | None = None
    """Only what follows this server and tool."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LISTED)] = MAX_LISTED


def id_of(unit: Unit, name: str) -> str:
    """Raises Fault(server_unknown), which names what is nearest."""
    found = unit.connection.execute(select(UPSTREAMS.c.id).where(UPSTREAMS.c.name == name)).scalar_one_or_none()
    if found is None:
        raise unknown(SERVER_UNKNOWN, name, unit.connection.execute(select(UPSTREAMS.c.name)).scalars())
    return str(found)


def short_names(names: Iterable[str]) -> list[str]:
    """For the operator's eyes: no more than a listing holds, each cut to a length that it can hold."""
    return [name[:MAX_SHOWN_CHARACTERS] for name in sorted(names)[:MAX_LISTED]]


def awaiting(unit: Unit, upstream_id: str) -> int:
    """How many tools of a server await approval."""
    count = select(func.count()).select_from(UPSTREAM_TOOLS).where(UPSTREAM_TOOLS.c.upstream_id == upstream_id)
    return int(unit.connection.execute(count.where(_AWAITING)).scalar_one())


def listed_counts(unit: Unit, upstream_id: str) -> dict[str, object]:
    """How many prompts, resources and templates of a server agents can see."""
    counts = _item_counts(unit, upstream_id).get(upstream_id, {})
    return {f"{kind}_count": counts.get(f"{kind}s", 0) for kind in ("prompt", "resource", "template")}


def _item_counts(unit: Unit, upstream_id: str | None = None) -> dict[str, dict[str, int]]:
    query = select(UPSTREAM_ITEMS.c.upstream_id, UPSTREAM_ITEMS.c.kind, func.count(UPSTREAM_ITEMS.c.exposed))
    if upstream_id is not None:
        query = query.where(UPSTREAM_ITEMS.c.upstream_id == upstream_id)
    counts: dict[str, dict[str, int]] = {}
    for row in unit.connection.execute(query.group_by(UPSTREAM_ITEMS.c.upstream_id, UPSTREAM_ITEMS.c.kind)):
        counts.setdefault(row[0], {})[row[1]] = row[2]
    return counts


def listed_tools(unit: Unit, upstream_id: str) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The tools of a server that agents see, and those that they cannot see, in the order of their names."""
    query = select(UPSTREAM_TOOLS).where(UPSTREAM_TOOLS.c.upstream_id == upstream_id)
    rows = list(unit.connection.execute(query.order_by(UPSTREAM_TOOLS.c.name)))
    return (
        [_shown(row) for row in rows if row.exposed is not None],
        [_shown(row) for row in rows if row.exposed is None],
    )


def _shown(row: Row[Any]) -> dict[str, object]:
    """One tool for the operator's eyes; what the server wrote is cut to a length that a listing can hold."""
    return {
        "name": row.name[:MAX_SHOWN_CHARACTERS],
        "exposed": row.exposed,
        "skipped": row.skipped,
        "description": description_of(_said(row))[:MAX_SHOWN_CHARACTERS],
        "state": _state(row),
        "tokens": token_cost(row.definition),
    }


def _said(row: Row[Any]) -> bytes:
    """What the server says of a tool now: whoever is to approve a change must not be shown the text before it."""
    seen: bytes = row.definition if row.seen_definition is None else row.seen_definition
    return seen


def _state(row: Row[Any]) -> str:
    if row.approved_at is None:
        return "skipped" if row.skipped is not None else "new"
    if row.gone_at is not None:
        return "gone"
    return "approved" if row.seen_hash is None else "changed"


def list_servers(unit: Unit, params: Which, context: Context) -> Change:
    tools = {
        row.upstream_id: row
        for row in unit.connection.execute(
            select(
                UPSTREAM_TOOLS.c.upstream_id,
                func.sum(case((_LIVE, 1), else_=0)).label("live"),
                func.sum(case((_AWAITING, 1), else_=0)).label("awaiting"),
            ).group_by(UPSTREAM_TOOLS.c.upstream_id)
        )
    }
    items = _item_counts(unit)
    listed = [
        {
            "name": row.name,
            "id": row.id,
            "transport": "sse" if row.sse else row.transport,
            "url": row.url,
            "program": row.program,
            "shared": not row.interactive,
            "has_credentials": row.has_credentials,
            "era": row.era,
            "enabled": row.enabled,
            "tools": tools[row.id].live if row.id in tools else 0,
            "prompts": items.get(row.id, {}).get("prompts", 0),
            "resources": items.get(row.id, {}).get("resources", 0),
            "templates": items.get(row.id, {}).get("templates", 0),
            "awaiting": tools[row.id].awaiting if row.id in tools else 0,
            "accept_changes": row.accept_changes,
            "stale": row.stale or None,
            "stale_at": row.stale_at,
            "problems": msgspec.json.decode(row.problems),
            "created_at": row.created_at,
        }
        for row in unit.connection.execute(turn(select(UPSTREAMS), UPSTREAMS.c.name, params))
    ]
    return Change(result=cut("servers", listed, params))


def list_tools(unit: Unit, params: WhichServers, context: Context) -> Change:
    query = select(UPSTREAM_TOOLS, UPSTREAMS.c.name.label("server")).join(
        UPSTREAMS, UPSTREAMS.c.id == UPSTREAM_TOOLS.c.upstream_id
    )
    sizes = select(func.coalesce(func.sum(func.length(UPSTREAM_TOOLS.c.definition)), 0)).where(_LIVE)
    if params.name is not None:
        upstream_id = id_of(unit, params.name)
        query, sizes = (
            query.where(UPSTREAMS.c.id == upstream_id),
            sizes.where(UPSTREAM_TOOLS.c.upstream_id == upstream_id),
        )
    if params.after is not None:
        query = query.where(tuple_(UPSTREAMS.c.name, UPSTREAM_TOOLS.c.name) > params.after)
    listed = [
        {
            "server": row.server,
            **_shown(row),
            "approved": row.approved_at is not None,
            "definition_hash": row.definition_hash,
            "seen_hash": row.seen_hash,
            "unusable": row.seen_skipped,
        }
        for row in unit.connection.execute(
            query.order_by(UPSTREAMS.c.name, UPSTREAM_TOOLS.c.name).offset(params.offset).limit(params.limit + 1)
        )
    ]
    tokens = -(-int(unit.connection.execute(sizes).scalar_one()) // CHARACTERS_PER_TOKEN)
    return Change(result={"tools": listed[: params.limit], "more": len(listed) > params.limit, "tokens": tokens})


def list_prompts(unit: Unit, params: WhichServers, context: Context) -> Change:
    return Change(result=_items(unit, params, "prompts", ("prompts",)))


def list_resources(unit: Unit, params: WhichServers, context: Context) -> Change:
    """Templates among them: agents use both by URI."""
    return Change(result=_items(unit, params, "resources", ("resources", "templates")))


def _items(unit: Unit, params: WhichServers, what: str, kinds: tuple[str, ...]) -> dict[str, object]:
    query = (
        select(UPSTREAM_ITEMS, UPSTREAMS.c.name.label("server"))
        .join(UPSTREAMS, UPSTREAMS.c.id == UPSTREAM_ITEMS.c.upstream_id)
        .where(UPSTREAM_ITEMS.c.kind.in_(kinds))
    )
    if params.name is not None:
        query = query.where(UPSTREAMS.c.id == id_of(unit, params.name))
    if params.after is not None:
        query = query.where(tuple_(UPSTREAMS.c.name, UPSTREAM_ITEMS.c.own) > params.after)
    rows = unit.connection.execute(
        query.order_by(UPSTREAMS.c.name, UPSTREAM_ITEMS.c.own, UPSTREAM_ITEMS.c.kind)
        .offset(params.offset)
        .limit(params.limit + 1)
    )
    listed = [
        {
            "server": row.server,
            "name": row.own,
            "template": row.kind == "templates",
            "exposed": row.exposed,
            "skipped": row.skipped,
            "description": description_of(row.definition)[:MAX_SHOWN_CHARACTERS],
        }
        for row in rows
    ]
    return {what: listed[: params.limit], "more": len(listed) > params.limit}


def gather_known(unit: Unit, params: ServerNamed, context: Context) -> ServerSpec:
    return spec_of(unit, context.secrets.data_key, id_of(unit, params.name))


def spec_of(unit: Unit, data_key: bytes, upstream_id: str) -> ServerSpec:
    """A server as it was added, its secrets with it."""
    row = unit.connection.execute(select(UPSTREAMS).where(UPSTREAMS.c.id == upstream_id)).one()
    access = open_access(unit, data_key, upstream_id)
    assert access is not None, "the row was found in this transaction"
    return ServerSpec(
        name=row.name,
        transport="sse" if row.sse else row.transport,
        url=row.url,
        argv=tuple(access.argv),
        headers=access.headers,
        env=access.env,
        cwd=access.cwd,
        interactive=row.interactive,
        trust=access.trust,
    )


def test_server(unit: Unit, params: ServerNamed, context: Context) -> Change:
    """What the server lists now, beside what was approved. Changes nothing."""
    looked: Looked = context.found
    upstream_id = id_of(unit, params.name)
    rows = unit.connection.execute(
        select(UPSTREAM_TOOLS).where(
            UPSTREAM_TOOLS.c.upstream_id == upstream_id,
            or_(UPSTREAM_TOOLS.c.approved_at.is_not(None), UPSTREAM_TOOLS.c.skipped.is_not(None)),
        )
    ).all()
    known = {row.name: row.definition_hash for row in rows}
    listed = {row.name for row in rows if row.gone_at is None}
    seen = {tool.name: tool.definition_hash for tool in looked.tools}
    return Change(
        result={
            "name": params.name,
            "era": looked.era,
            "server": looked.server,
            "ms": looked.ms,
            "tool_count": len(seen),
            **{f"{kind[:-1]}_count": len(items) for kind, items in looked.items.items()},
            "problems": dict(looked.problems),
            "new": short_names(seen.keys() - known.keys()),
            "gone": short_names(listed - seen.keys()),
            "changed": short_names({name for name in seen.keys() & known.keys() if seen[name] != known[name]}),
        },
        target=params.name,
    )


ACTIONS = (
    Action(
        name="server.list",
        permission=Permission.UPSTREAMS_SERVER_READ,
        audit=Tag.UPSTREAMS_SERVER_LIST,
        params=Which,
        run=list_servers,
        summary="Lists the MCP servers behind the platform, whether they are reached, and how much they offer.",
        records=("name", "after", "limit"),
        reads=True,
    ),
    Action(
        name="server.prompts",
        permission=Permission.UPSTREAMS_SERVER_READ,
        audit=Tag.UPSTREAMS_SERVER_PROMPTS,
        params=WhichServers,
        run=list_prompts,
        summary="Lists the prompts of one server or of all, with the names that agents see.",
        records=("name", "offset", "after", "limit"),
        reads=True,
    ),
    Action(
        name="server.resources",
        permission=Permission.UPSTREAMS_SERVER_READ,
        audit=Tag.UPSTREAMS_SERVER_RESOURCES,
        params=WhichServers,
        run=list_resources,
        summary="Lists the resources and resource templates of one server or of all, with the URIs that agents see.",
        records=("name", "offset", "after", "limit"),
        reads=True,
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
        looking="Connecting to server {name} and listing what it offers",
    ),
    Action(
        name="server.tools",
        permission=Permission.UPSTREAMS_SERVER_READ,
        audit=Tag.UPSTREAMS_SERVER_TOOLS,
        params=WhichServers,
        run=list_tools,
        summary="Lists the tools of one server or of all, with the names that agents see and what they cost them.",
        records=("name", "offset", "after", "limit"),
        reads=True,
    ),
)
