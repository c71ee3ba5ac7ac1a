"""The endpoints of one revision, by name, made when they are first asked for."""

from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.listing import Cursor, Lists
from mcp_platform.gateway.sealed import Seal
from mcp_platform.snapshot.model import Snapshot

MCP = "/mcp"


class Endpoints:
    """What agents reach, and the lists of it."""

    def __init__(self, snapshot: Snapshot, seal: Seal[Cursor]) -> None:
        self._snapshot = snapshot
        self._seal = seal
        self._made: dict[str, Endpoint] = {"": Endpoint.of(snapshot)}
        self._lists: dict[str, Lists] = {}

    def at(self, name: str) -> Endpoint | None:
        """The endpoint of that name; the empty name is `/mcp`."""
        return self._made.get(name)

    def lists(self, endpoint: Endpoint) -> Lists:
        """The lists of one of these."""
        lists = self._lists.get(endpoint.name)
        if lists is None:
            lists = self._lists[endpoint.name] = Lists(endpoint, self._seal)
        return lists


def name_of(path: str) -> str | None:
    """The name of the endpoint at `path`; None where there can be none."""
    return "" if path == MCP else None
