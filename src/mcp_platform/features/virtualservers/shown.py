"""A virtual server for the operator's eyes: what agents see of it, what is left out and why, and what it costs."""

from mcp_platform.features.upstreams.offered import description_of, token_cost
from mcp_platform.features.virtualservers.check import worded
from mcp_platform.features.virtualservers.model import DEFINITIONS, NAMED, TOOLS, VirtualItem
from mcp_platform.features.virtualservers.offers import Offer, Offers

MAX_SHOWN_CHARACTERS = 160
"""Characters of a server's own words."""


def item_shown(item: VirtualItem, offered: Offers) -> dict[str, object]:
    """One item."""
    missing = offered.missing(item)
    offer = offered.of.get((item.kind, item.server, item.own))
    said = item.description or (description_of(offer.definition) if offer is not None else "")
    return {
        "kind": item.kind,
        "server": item.server,
        "own": item.own,
        "exposed": item.exposed if item.kind in NAMED else (offer.exposed if offer is not None else None),
        "description": said[:MAX_SHOWN_CHARACTERS],
        "described_here": item.description is not None,
        "missing": missing,
        "tokens": 0 if offer is None or missing is not None else _tokens(item, offer),
    }


def costs(items: list[dict[str, object]], *, tool_search: bool) -> dict[str, int]:
    """About how many tokens an agent reads that lists everything: as it is, with and without the search of tools."""
    tools = sum(int(str(each["tokens"])) for each in items if each["kind"] == TOOLS)
    others = sum(int(str(each["tokens"])) for each in items if each["kind"] != TOOLS)
    searched = token_cost(DEFINITIONS)
    return {
        "tokens": others + (searched if tool_search else tools),
        "tokens_with_search": others + searched,
        "tokens_without_search": others + tools,
    }


def _tokens(item: VirtualItem, offer: Offer) -> int:
    name = item.exposed if item.exposed != offer.exposed else None
    return token_cost(worded(offer.definition, name or None, item.description))
