"""Lists of tools, prompts, resources and templates: what a caller may use, from the snapshot alone, so that no dead
upstream empties them.

The order is that of the exposed names, and the pages are cut by name, so that a list is the same for everybody who
may see the same things, and a page stays right when some come and go.
"""

import bisect
from collections.abc import Iterable, Mapping

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.virtualservers.model import DEFINITIONS
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.errors import CURSOR_INVALID
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.sealed import Seal
from mcp_platform.gateway.seen import Row, may_see

PAGE_ITEMS = 500
"""Items on a page: about 500 KiB at 1 KiB a definition."""
MAX_KEPT = 64
"""Pages kept ready for one endpoint in one revision."""
TEMPLATE = "resourceTemplates"
"""Kinds of list, by the member of the result that holds it."""
_ITEMS = {"tools": "tools", "prompts": "prompts", "resources": "resources", TEMPLATE: "templates"}
"""What virtual servers call them."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where the next page begins, of what, for whom."""

    principal: str
    endpoint: str
    kind: str
    after: str


class Page(msgspec.Struct, frozen=True):
    """One page."""

    items: bytes
    """JSON array."""
    last: str | None
    """Name after which the next page begins; None on the last one."""
    stale: dict[str, str]
    """Servers with items on the page whose lists are the last good ones, and why."""


class Lists:
    """The lists of one endpoint in one revision."""

    def __init__(self, endpoint: Endpoint, seal: Seal[Cursor]) -> None:
        self._endpoint = endpoint
        self._seal = seal
        self._rows: dict[str, Mapping[str, Row]] = {
            "tools": endpoint.tools,
            "prompts": endpoint.prompts,
            "resources": endpoint.resources,
            TEMPLATE: endpoint.templates,
        }
        self._names: dict[str, list[str]] = {}
        self._pages: dict[tuple[str, int, str], Page] = {}

    def page(self, kind: str, identity: Identity, cursor: str | None) -> tuple[Page, str | None]:
        """One page and the cursor of the next. Raises Fault(cursor_invalid)."""
        principal, after = identity.principal.id, ""
        if cursor is not None:
            opened = self._seal.open(cursor)
            if opened is None or (opened.principal, opened.endpoint, opened.kind) != (
                principal,
                self._endpoint.name,
                kind,
            ):
                raise Fault(CURSOR_INVALID)
            after = opened.after
        if kind == "tools" and self._endpoint.tool_search:
            return Page(DEFINITIONS, None, {}), None
        # The authenticator of this revision holds one Allowed for each combination of roles and scopes.
        key = (kind, id(identity.allowed), after)
        kept = self._pages.get(key)
        if kept is None:
            kept = self._make(kind, identity.allowed, after)
            if len(self._pages) < MAX_KEPT:
                self._pages[key] = kept
        if kept.last is None:
            return kept, None
        return kept, self._seal.seal(Cursor(principal, self._endpoint.name, kind, kept.last))

    def visible(self, kind: str, allowed: Allowed) -> Iterable[tuple[str, Row]]:
        """What a caller sees of one kind, by exposed name, in order."""
        yield from self._visible(kind, allowed, "")

    def _visible(self, kind: str, allowed: Allowed, after: str) -> Iterable[tuple[str, Row]]:
        rows = self._rows[kind]
        names = self._names.get(kind)
        if names is None:
            names = self._names[kind] = sorted(rows)
        upstreams = self._endpoint.upstreams
        for name in names[bisect.bisect_right(names, after) :] if after else names:
            row = rows[name]
            if may_see(allowed, row) and upstreams[row.upstream].enabled:
                yield name, row

    def _make(self, kind: str, allowed: Allowed, after: str) -> Page:
        items: list[msgspec.Raw] = []
        stale: dict[str, str] = {}
        last = ""
        for name, row in self._visible(kind, allowed, after):
            if len(items) == PAGE_ITEMS:
                return Page(msgspec.json.encode(items), last, stale)
            items.append(msgspec.Raw(self._endpoint.definition(_ITEMS[kind], name, row.definition)))
            upstream = self._endpoint.upstreams[row.upstream]
            if upstream.stale:
                stale[upstream.name] = upstream.stale
            last = name
        return Page(msgspec.json.encode(items), None, stale)


def cursor_seal(secret: bytes) -> Seal[Cursor]:
    return Seal(secret, "list cursor v2", Cursor)
