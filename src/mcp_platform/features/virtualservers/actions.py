"""What can be done to virtual servers."""

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update

from mcp_platform.base import ids
from mcp_platform.base.errors import Fault
from mcp_platform.base.nearest import unknown
from mcp_platform.features.rbac.check import is_role_name
from mcp_platform.features.rbac.tables import role_exists
from mcp_platform.features.virtualservers.check import (
    MAX_ITEMS,
    MAX_ROLES,
    MAX_VIRTUALS,
    check_name,
    check_words,
)
from mcp_platform.features.virtualservers.choice import Chosen, Named, choose
from mcp_platform.features.virtualservers.errors import ITEM_NOT_THERE, VIRTUAL_EXISTS, VIRTUAL_INVALID, VIRTUAL_UNKNOWN
from mcp_platform.features.virtualservers.model import VirtualItem
from mcp_platform.features.virtualservers.offers import Offers, offers, servers_of
from mcp_platform.features.virtualservers.shown import costs, item_shown
from mcp_platform.features.virtualservers.tables import (
    VIRTUAL_ITEMS,
    VIRTUAL_SERVERS,
    item_values,
    roles_of,
    virtual_items,
)
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.page import Which, cut, turn
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_LISTED = 1000
MAX_LISTED_BYTES = 700 * 1024
"""Items in one answer, and about their bytes: it is one line of at most 1 MiB."""


class NewVirtual(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A virtual server and what it offers."""

    name: str
    title: str = ""
    description: str = ""
    instructions: str = ""
    roles: tuple[str, ...] = ()
    """Who holds one of them may use it; none: everybody, each within its own roles."""
    tool_search: bool = False
    servers: tuple[str, ...] = ()
    """Servers whose tools are taken that only read."""
    items: tuple[Chosen, ...] = ()


class VirtualNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which virtual server."""

    name: str


class VirtualSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be otherwise; None: stays."""

    name: str
    title: str | None = None
    description: str | None = None
    instructions: str | None = None
    roles: tuple[str, ...] | None = None
    tool_search: bool | None = None
    enabled: bool | None = None


class VirtualAdd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be offered, too, or under another name or description."""

    name: str
    servers: tuple[str, ...] = ()
    items: tuple[Chosen, ...] = ()


class VirtualDrop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is not to be offered any more."""

    name: str
    items: tuple[Named, ...]


def create_virtual(unit: Unit, params: NewVirtual, context: Context) -> Change:
    check_name(params.name)
    check_words(params.title, params.description, params.instructions)
    _check_roles(unit, params.roles)
    columns = VIRTUAL_SERVERS.c
    if unit.connection.execute(select(columns.id).where(columns.name == params.name)).first() is not None:
        raise Fault(VIRTUAL_EXISTS)
    if unit.connection.execute(select(func.count()).select_from(VIRTUAL_SERVERS)).scalar_one() >= MAX_VIRTUALS:
        raise Fault(VIRTUAL_INVALID, f"There are {MAX_VIRTUALS} virtual servers already, which is the most.")
    virtual_id = ids.new_id("vsr")
    unit.connection.execute(
        insert(VIRTUAL_SERVERS).values(
            id=virtual_id,
            name=params.name,
            title=params.title,
            description=params.description,
            instructions=params.instructions,
            roles=_as_text(params.roles),
            tool_search=params.tool_search,
            enabled=True,
            created_at=unit.now,
        )
    )
    return _changed(unit, virtual_id, chosen=_choose(unit, virtual_id, params.servers, params.items))


def list_virtuals(unit: Unit, params: Which, context: Context) -> Change:
    rows = unit.connection.execute(turn(select(VIRTUAL_SERVERS), VIRTUAL_SERVERS.c.name, params)).all()
    chosen = {row.id: virtual_items(unit, row.id) for row in rows}
    offered = offers(unit, set().union(*(servers_of(items) for items in chosen.values())))
    listed = [_shown(unit, row, chosen[row.id], offered) for row in rows]
    return Change(result=cut("virtual_servers", listed, params))


def show_virtual(unit: Unit, params: VirtualNamed, context: Context) -> Change:
    row = unit.connection.execute(select(VIRTUAL_SERVERS).where(VIRTUAL_SERVERS.c.name == params.name)).first()
    if row is None:
        raise _unknown(unit, params.name)
    # A list, as a route of one resource wants it.
    return Change(result={"virtual_servers": [_whole(unit, row)]}, target=params.name)


def set_virtual(unit: Unit, params: VirtualSet, context: Context) -> Change:
    virtual_id = _id_of(unit, params.name)
    check_words(params.title or "", params.description or "", params.instructions or "")
    values: dict[str, object] = {
        name: value
        for name in ("title", "description", "instructions", "tool_search", "enabled")
        if (value := getattr(params, name)) is not None
    }
    if params.roles is not None:
        _check_roles(unit, params.roles)
        values["roles"] = _as_text(params.roles)
    if values:
        unit.connection.execute(update(VIRTUAL_SERVERS).where(VIRTUAL_SERVERS.c.id == virtual_id).values(**values))
    return _changed(unit, virtual_id)


def add_items(unit: Unit, params: VirtualAdd, context: Context) -> Change:
    virtual_id = _id_of(unit, params.name)
    if not params.servers and not params.items:
        raise Fault(VIRTUAL_INVALID, "Say what to add: servers or items.")
    return _changed(unit, virtual_id, chosen=_choose(unit, virtual_id, params.servers, params.items))


def drop_items(unit: Unit, params: VirtualDrop, context: Context) -> Change:
    """What the virtual server does not have is an error, and then nothing is dropped."""
    virtual_id = _id_of(unit, params.name)
    for item in params.items:
        if _delete_item(unit, virtual_id, item.kind, item.server, item.own) == 0:
            raise Fault(ITEM_NOT_THERE, "The virtual server has no such item; `virtual show` lists those it has.")
    return _changed(unit, virtual_id)


def remove_virtual(unit: Unit, params: VirtualNamed, context: Context) -> Change:
    virtual_id = _id_of(unit, params.name)
    unit.connection.execute(delete(VIRTUAL_ITEMS).where(VIRTUAL_ITEMS.c.virtual_id == virtual_id))
    unit.connection.execute(delete(VIRTUAL_SERVERS).where(VIRTUAL_SERVERS.c.id == virtual_id))
    return Change(
        result={"name": params.name, "removed": True},
        touched=Touched(virtuals=frozenset({virtual_id})),
        target=params.name,
    )


def _choose(
    unit: Unit, virtual_id: str, servers: tuple[str, ...], chosen: tuple[Chosen, ...]
) -> tuple[list[VirtualItem], list[VirtualItem]]:
    has = virtual_items(unit, virtual_id)
    added, brought = choose(unit, has, servers, chosen)
    for item in added:
        _delete_item(unit, virtual_id, item.kind, item.server, item.own)
    if added:
        unit.connection.execute(insert(VIRTUAL_ITEMS), item_values(virtual_id, added))
    if len({(each.kind, each.server, each.own) for each in (*has, *added)}) > MAX_ITEMS:
        raise Fault(VIRTUAL_INVALID, f"A virtual server has at most {MAX_ITEMS:,} items.")
    return added, brought


def _delete_item(unit: Unit, virtual_id: str, kind: str, server: str, own: str) -> int:
    columns = VIRTUAL_ITEMS.c
    here = (columns.virtual_id == virtual_id, columns.kind == kind, columns.server_name == server, columns.own == own)
    return unit.connection.execute(delete(VIRTUAL_ITEMS).where(*here)).rowcount


def _changed(
    unit: Unit, virtual_id: str, *, chosen: tuple[list[VirtualItem], list[VirtualItem]] | None = None
) -> Change:
    """What a change answers: the virtual server as it is now, and how much came to it."""
    row = unit.connection.execute(select(VIRTUAL_SERVERS).where(VIRTUAL_SERVERS.c.id == virtual_id)).one()
    counts = {} if chosen is None else {"added": len(chosen[0]), "added_unasked": len(chosen[1])}
    return Change(
        result={**_whole(unit, row), **counts},
        touched=Touched(virtuals=frozenset({virtual_id})),
        target=row.name,
    )


def _whole(unit: Unit, row: Row[tuple[object, ...]]) -> dict[str, object]:
    """With its items."""
    chosen = virtual_items(unit, str(row.id))
    offered = offers(unit, servers_of(chosen))
    shown = _shown(unit, row, chosen, offered)
    items: list[dict[str, object]] = []
    room = MAX_LISTED_BYTES
    for item in chosen[:MAX_LISTED]:
        items.append(item_shown(item, offered))
        room -= len(msgspec.json.encode(items[-1]))
        if room < 0:
            break
    return {**shown, "items": items}


def _shown(unit: Unit, row: Row[tuple[object, ...]], chosen: list[VirtualItem], offered: Offers) -> dict[str, object]:
    items = [item_shown(item, offered) for item in chosen]
    roles = roles_of(row.roles)
    return {
        "name": row.name,
        "id": row.id,
        "path": f"/mcp/{row.name}",
        "title": row.title,
        "description": row.description,
        "instructions": row.instructions,
        "roles": list(roles),
        "roles_missing": [role for role in roles if not role_exists(unit, role)],
        "tool_search": row.tool_search,
        "enabled": row.enabled,
        "item_count": len(items),
        "missing_count": sum(each["missing"] is not None for each in items),
        **costs(items, tool_search=row.tool_search),
        "created_at": row.created_at,
    }


def _id_of(unit: Unit, name: str) -> str:
    found = unit.connection.execute(
        select(VIRTUAL_SERVERS.c.id).where(VIRTUAL_SERVERS.c.name == name)
    ).scalar_one_or_none()
    if found is None:
        raise _unknown(unit, name)
    return str(found)


def _unknown(unit: Unit, name: str) -> Fault:
    return unknown(VIRTUAL_UNKNOWN, name, unit.connection.execute(select(VIRTUAL_SERVERS.c.name)).scalars())


def _check_roles(unit: Unit, roles: tuple[str, ...]) -> None:
    if len(roles) > MAX_ROLES or len(set(roles)) != len(roles):
        raise Fault(VIRTUAL_INVALID, f"At most {MAX_ROLES} roles, and none twice.")
    if not all(is_role_name(role) and role_exists(unit, role) for role in roles):
        raise Fault(VIRTUAL_INVALID, "One of the roles does not exist; `mcp-platform role list` shows those that do.")


def _as_text(roles: tuple[str, ...]) -> str:
    return msgspec.json.encode(roles).decode()


ACTIONS = (
    Action(
        name="virtual.add",
        permission=Permission.VIRTUAL_SERVER_CHANGE,
        audit=Tag.VIRTUAL_SERVER_ADD,
        params=VirtualAdd,
        run=add_items,
        summary="Adds items to a virtual server, or gives those it has another name or description.",
        records=("name", "servers", "items"),
    ),
    Action(
        name="virtual.create",
        permission=Permission.VIRTUAL_SERVER_CHANGE,
        audit=Tag.VIRTUAL_SERVER_CREATE,
        params=NewVirtual,
        run=create_virtual,
        summary="Makes a virtual server: chosen tools, prompts and resources at a URL of their own.",
        records=("name", "title", "description", "instructions", "roles", "tool_search", "servers", "items"),
    ),
    Action(
        name="virtual.drop",
        permission=Permission.VIRTUAL_SERVER_CHANGE,
        audit=Tag.VIRTUAL_SERVER_DROP,
        params=VirtualDrop,
        run=drop_items,
        summary="Takes items from a virtual server; calls of them that run through it are cut.",
        records=("name", "items"),
    ),
    Action(
        name="virtual.list",
        permission=Permission.VIRTUAL_SERVER_READ,
        audit=Tag.VIRTUAL_SERVER_LIST,
        params=Which,
        run=list_virtuals,
        summary="Lists the virtual servers, with what is missing and about how many tokens their lists cost an agent.",
        records=("name", "after", "limit"),
        reads=True,
    ),
    Action(
        name="virtual.remove",
        permission=Permission.VIRTUAL_SERVER_CHANGE,
        audit=Tag.VIRTUAL_SERVER_REMOVE,
        params=VirtualNamed,
        run=remove_virtual,
        summary="Removes a virtual server; the servers behind it stay, calls that run through it are cut.",
        records=("name",),
    ),
    Action(
        name="virtual.set",
        permission=Permission.VIRTUAL_SERVER_CHANGE,
        audit=Tag.VIRTUAL_SERVER_SET,
        params=VirtualSet,
        run=set_virtual,
        summary="Changes the words, roles, search of tools or state of a virtual server; what is not given stays.",
        records=("name", "title", "description", "instructions", "roles", "tool_search", "enabled"),
    ),
    Action(
        name="virtual.show",
        permission=Permission.VIRTUAL_SERVER_READ,
        audit=Tag.VIRTUAL_SERVER_SHOW,
        params=VirtualNamed,
        run=show_virtual,
        summary="Shows a virtual server with its items: their names, what is left out and why, and what it all costs.",
        records=("name",),
        reads=True,
    ),
)
