"""What a caller sees in the lists of an endpoint, as one number to compare: whether a change concerns it."""

from collections.abc import Iterator, Mapping

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow, UpstreamRow
from mcp_platform.features.virtualservers.model import SEARCH_TOOLS
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.endpoints import Endpoints
from mcp_platform.gateway.seen import may_see
from mcp_platform.net.transports.offers import KINDS, of_capabilities

_Rows = Mapping[str, ToolRow] | Mapping[str, PromptRow] | Mapping[str, ResourceRow] | Mapping[str, TemplateRow]


class Visible:
    """Of one revision. Worked out once for each set of permissions."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._known: dict[tuple[str, int, str], tuple[int, frozenset[str]]] = {}
        self._alive: dict[int, Allowed] = {}
        """What ids are known of, so that each stays its own."""
        self._sources: dict[tuple[str, int, frozenset[str]], tuple[tuple[UpstreamRow, tuple[str, ...]], ...]] = {}

    def look(self, endpoint: str, allowed: Allowed, kind: str) -> int:
        """A number that is another when the list of `kind` is another for callers who may do `allowed`."""
        return self._of(endpoint, allowed, kind)[0]

    def concerns(self, endpoint: str, allowed: Allowed, kind: str, upstream: str) -> bool:
        """Whether such callers see anything of that upstream in the list."""
        return upstream in self._of(endpoint, allowed, kind)[1]

    def sources(
        self, endpoint: str, allowed: Allowed, kinds: frozenset[str]
    ) -> tuple[tuple[UpstreamRow, tuple[str, ...]], ...]:
        """The servers that announce changes of what such callers see, and of which kinds of lists."""
        self._alive[id(allowed)] = allowed
        key = (endpoint, id(allowed), kinds)
        found = self._sources.get(key)
        if found is None:
            found = self._sources[key] = tuple(self._announcing(endpoint, allowed, kinds))
        return found

    def _announcing(
        self, name: str, allowed: Allowed, kinds: frozenset[str]
    ) -> Iterator[tuple[UpstreamRow, tuple[str, ...]]]:
        endpoint = self._endpoints.named(name)
        for row in endpoint.upstreams.values() if endpoint is not None else ():
            if row.enabled and not (row.interactive and row.transport == "stdio"):
                announced = sorted(kinds.intersection(announces(row.capabilities)))
                told = tuple(kind for kind in announced if self.concerns(name, allowed, kind, row.id))
                if told:
                    yield row, told

    def _of(self, name: str, allowed: Allowed, kind: str) -> tuple[int, frozenset[str]]:
        # The authenticator of a revision holds one Allowed for each set of roles and scopes.
        self._alive[id(allowed)] = allowed
        key = (name, id(allowed), kind)
        known = self._known.get(key)
        if known is None:
            endpoint = self._endpoints.named(name)
            seen = list(_seen(endpoint, allowed, kind)) if endpoint is not None else []
            upstreams = frozenset(upstream for _, _, upstream in seen)
            known = self._known[key] = (hash(frozenset(seen)), upstreams)
        return known


def _seen(endpoint: Endpoint, allowed: Allowed, kind: str) -> Iterator[tuple[str, str, str]]:
    """Name, what is said of it, and whose it is."""
    if kind == "tools" and endpoint.tool_search:
        yield SEARCH_TOOLS, "", ""  # the list is the same, whatever can be found
        return
    for what, rows in _rows(endpoint, kind):
        for exposed, row in rows.items():
            upstream = endpoint.upstreams.get(row.upstream)
            if upstream is not None and upstream.enabled and may_see(allowed, row):
                yield exposed, f"{row.definition_hash} {endpoint.wording(what, exposed)}", row.upstream


def _rows(endpoint: Endpoint, kind: str) -> tuple[tuple[str, _Rows], ...]:
    if kind == "tools":
        return (("tools", endpoint.tools),)
    if kind == "prompts":
        return (("prompts", endpoint.prompts),)
    return ("resources", endpoint.resources), ("templates", endpoint.templates)


def announces(capabilities: bytes) -> frozenset[str]:
    """The kinds of lists of which a server with these capabilities announces changes."""
    offers = of_capabilities(capabilities)
    return frozenset(kind for kind in KINDS if getattr(offers, kind))
