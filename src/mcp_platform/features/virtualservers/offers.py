"""What servers offer now, for choosing from it and for saying what became of what was chosen."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import select

from mcp_platform.features.upstreams.tables import UPSTREAM_ITEMS, UPSTREAM_TOOLS, UPSTREAMS
from mcp_platform.features.virtualservers.model import TOOLS, VirtualItem
from mcp_platform.store.unit import Unit

NOT_LISTED = "its server does not list it any more"
Place = tuple[str, str, str]
"""Kind, server and the server's own name."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing of a server, as it is at `/mcp`."""

    exposed: str
    definition: bytes
    missing: str | None = None
    """Why agents cannot have it; None where they can."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What some servers offer."""

    servers: dict[str, bool]
    """Name → whether it is enabled, of those that are there."""
    of: dict[Place, Offer]

    def missing(self, item: VirtualItem) -> str | None:
        """Why an item that was chosen is not offered now; None where it is."""
        enabled = self.servers.get(item.server)
        if enabled is None:
            return "its server was removed"
        if not enabled:
            return "its server is disabled"
        offer = self.of.get((item.kind, item.server, item.own))
        return NOT_LISTED if offer is None else offer.missing


def servers_of(items: Iterable[VirtualItem]) -> set[str]:
    return {item.server for item in items}


def offers(unit: Unit, servers: Collection[str]) -> Offers:
    """Everything of these servers."""
    known = {
        row.name: row
        for row in unit.connection.execute(select(UPSTREAMS.c.id, UPSTREAMS.c.name, UPSTREAMS.c.enabled))
        if row.name in servers
    }
    found: dict[Place, Offer] = {}
    for name, server in known.items():
        found.update(_tools(unit, server.id, name))
        found.update(_others(unit, server.id, name))
    return Offers({name: row.enabled for name, row in known.items()}, found)


def _tools(unit: Unit, upstream_id: str, server: str) -> dict[Place, Offer]:
    rows = unit.connection.execute(select(UPSTREAM_TOOLS).where(UPSTREAM_TOOLS.c.upstream_id == upstream_id))
    found: dict[Place, Offer] = {}
    for row in rows:
        missing = None
        if row.exposed is None:
            missing = f"it is not for agents: {row.skipped}"
        elif row.approved_at is None:
            missing = "it awaits approval"
        elif row.gone_at is not None:
            missing = NOT_LISTED
        found[TOOLS, server, row.name] = Offer(row.exposed or "", row.definition, missing)
    return found


def _others(unit: Unit, upstream_id: str, server: str) -> dict[Place, Offer]:
    """Prompts, resources and templates."""
    rows = unit.connection.execute(select(UPSTREAM_ITEMS).where(UPSTREAM_ITEMS.c.upstream_id == upstream_id))
    return {
        (row.kind, server, row.own): Offer(
            row.exposed or "",
            row.definition,
            None if row.exposed is not None else f"it is not for agents: {row.skipped}",
        )
        for row in rows
    }
