"""From what an operator chose to the items of a virtual server: whole servers, single items, names and words."""

from collections.abc import Collection, Iterable
from typing import Annotated

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.upstreams.showing import id_of
from mcp_platform.features.virtualservers.check import check_item_description, is_chosen_unasked, name_of_item
from mcp_platform.features.virtualservers.errors import ITEM_NOT_THERE, VIRTUAL_INVALID
from mcp_platform.features.virtualservers.model import KINDS, NAMED, TOOLS, VirtualItem
from mcp_platform.features.virtualservers.offers import Offers, offers
from mcp_platform.features.virtualservers.tables import taken_names
from mcp_platform.store.unit import Unit

ALL = "*"
"""In place of a name: every prompt, resource or template of a server. Never tools: those are named one by one, or
their server is."""


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that somebody names."""

    server: str
    own: str
    """The server's own name, URI or template; `*`: every one, but of tools."""
    kind: str = TOOLS
    exposed: str | None = None
    """The name that agents are to see; None: the one at `/mcp`. Only tools and prompts."""
    description: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    """In place of the server's; None: the server's."""


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item of a virtual server."""

    server: str
    own: str
    kind: str = TOOLS


def choose(
    unit: Unit, has: Iterable[VirtualItem], servers: Collection[str], chosen: Collection[Chosen]
) -> tuple[list[VirtualItem], list[VirtualItem]]:
    """The items that are added, or changed, to those that it `has`; and of them those that whole `servers` brought.
    Raises Fault(virtual_invalid, server_unknown, item_not_there, item_name_taken)."""
    for each in chosen:
        _check(each)
    offered = offers(unit, {*servers, *(each.server for each in chosen)})
    for name in {*servers, *(each.server for each in chosen)}:
        if name not in offered.servers:
            id_of(unit, name)  # says what is nearest
    named = [each for one in chosen for each in _spread(one, offered)]
    has = list(has)
    places = {(each.kind, each.server, each.own) for each in named}
    kept = [item for item in has if (item.kind, item.server, item.own) not in places]
    taken = {kind: taken_names(kept, kind) for kind in NAMED}
    # Names that somebody wants come first, so that one given by habit never stands in their way.
    named.sort(key=lambda each: each.exposed is None)
    added = [_item(each, offered, taken) for each in named]
    known = {(item.kind, item.server, item.own) for item in (*has, *added)}
    brought = [
        _item(Chosen(server, own), offered, taken)
        for (kind, server, own), offer in sorted(offered.of.items())
        if kind == TOOLS
        and server in servers
        and offer.missing is None
        and (kind, server, own) not in known
        and is_chosen_unasked(offer.definition)
    ]
    return [*added, *brought], brought


def _check(chosen: Chosen) -> None:
    if chosen.kind not in KINDS:
        raise Fault(VIRTUAL_INVALID, f"The kind of an item is one of: {', '.join(KINDS)}.")
    if chosen.own == ALL and chosen.kind == TOOLS:
        raise Fault(VIRTUAL_INVALID, "Tools are named one by one; a whole server brings those that only read.")
    if chosen.own == ALL and (chosen.exposed is not None or chosen.description is not None):
        raise Fault(VIRTUAL_INVALID, "A name or description is for one item.")
    if chosen.exposed is not None and chosen.kind not in NAMED:
        raise Fault(VIRTUAL_INVALID, "A resource or template keeps the URI that it has at /mcp.")
    if chosen.description is not None:
        check_item_description(chosen.description)


def _spread(chosen: Chosen, offered: Offers) -> list[Chosen]:
    if chosen.own != ALL:
        return [chosen]
    return [
        Chosen(server, own, kind)
        for (kind, server, own), offer in sorted(offered.of.items())
        if kind == chosen.kind and server == chosen.server and offer.missing is None
    ]


def _item(chosen: Chosen, offered: Offers, taken: dict[str, set[str]]) -> VirtualItem:
    offer = offered.of.get((chosen.kind, chosen.server, chosen.own))
    if offer is None or offer.missing is not None:
        raise Fault(ITEM_NOT_THERE)
    exposed = ""
    if chosen.kind in NAMED:
        exposed = name_of_item(chosen.server, chosen.own, offer.exposed, chosen.exposed, taken[chosen.kind])
        taken[chosen.kind].add(exposed)
    return VirtualItem(chosen.kind, chosen.server, chosen.own, exposed, chosen.description)
