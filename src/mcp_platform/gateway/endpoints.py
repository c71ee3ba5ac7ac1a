"""The endpoints of one revision, by name, made when they are first asked for."""

import re

from mcp_platform.gateway.curated import Offered, endpoint_of
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.listing import Cursor, Lists
from mcp_platform.gateway.sealed import Seal
from mcp_platform.snapshot.model import Snapshot

MCP = "/mcp"
_NAMED = re.compile(r"/mcp/([a-z0-9][a-z0-9_-]{0,31})", re.ASCII)


class Endpoints:
    """What agents reach, and the lists of it."""

    def __init__(self, snapshot: Snapshot, seal: Seal[Cursor]) -> None:
        self._snapshot = snapshot
        self._seal = seal
        self._offered = Offered(snapshot)
        self._made: dict[str, Endpoint] = {"": Endpoint.of(snapshot)}
        self._lists: dict[str, Lists] = {}

    def at(self, name: str, caller: Identity) -> Endpoint | None:
        """The endpoint of that name, if the caller may use it; the empty name is `/mcp`. None where there is none,
        where its roles are others, and where the caller's token is for another: nobody can tell these apart."""
        endpoint = self.named(name)
        if endpoint is None or (caller.token is not None and not caller.token.is_for(name)):
            return None
        return endpoint if endpoint.admits(caller.principal.roles) else None

    def named(self, name: str) -> Endpoint | None:
        """The endpoint of that name, whoever asks: not for answering callers."""
        endpoint = self._made.get(name)
        if endpoint is None and (row := self._snapshot.virtuals.get(name)) is not None:
            endpoint = self._made[name] = endpoint_of(row, self._snapshot, self._offered)
        return endpoint

    def lists(self, endpoint: Endpoint) -> Lists:
        """The lists of one of these."""
        lists = self._lists.get(endpoint.name)
        if lists is None:
            lists = self._lists[endpoint.name] = Lists(endpoint, self._seal)
        return lists


def name_of(path: str) -> str | None:
    """The name of the endpoint at `path`, whether there is one or not; None where there can be none."""
    if path == MCP:
        return ""
    named = _NAMED.fullmatch(path)
    return None if named is None else named[1]
