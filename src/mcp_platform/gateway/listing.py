"""Lists of tools, prompts, resources and templates: what a caller may use, from the snapshot alone, so that no dead
upstream empties them.

The order is that of the exposed names, and the pages are cut by name, so that a list is the same for everybody who
may see the same things, and a page stays right when some come and go.
"""

import bisect
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow
from mcp_platform.features.virtualservers.model import DEFINITIONS
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.errors import CURSOR_INVALID
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.sealed import Seal

PAGE_ITEMS = 500
"""Items on a page: about 500 KiB at 1 KiB a definition."""
MAX_KEPT = 64
"""Pages kept ready for one endpoint in one revision."""
TEMPLATE = "resourceTemplates"
"""Kinds of list, by the member of the result that holds it."""
_ITEMS = {"tools": "tools", "prompts": "prompts", "resources": "resources", TEMPLATE: "templates"}
"""What virtual servers call them."""


class _Row(Protocol):
    @property
    def upstream(self) -> str: ...
    @property
    def definition(self) -> bytes: ...


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


def _tool(allowed: Allowed, row: ToolRow) -> bool:
    return allowed.permits(row.server, row.name)


def _prompt(allowed: Allowed, row: PromptRow) -> bool:
    return allowed.permits_prompt(row.server, row.name)


def _resource(allowed: Allowed, row: ResourceRow) -> bool:
    return allowed.permits_resource(row.server, row.uri)


def _template(allowed: Allowed, row: TemplateRow) -> bool:
    return allowed.permits_resource(row.server, row.template)


class Lists:
    """The lists of one endpoint in one revision."""

    def __init__(self, endpoint: Endpoint, seal: Seal[Cursor]) -> None:
        self._endpoint = endpoint
        self._seal = seal
        self._rows: dict[str, tuple[Mapping[str, _Row], Callable[..., bool]]] = {
            "tools": (endpoint.tools, _tool),
            "prompts": (endpoint.prompts, _prompt),
            "resources": (endpoint.resources, _resource),
            TEMPLATE: (endpoint.templates, _template),
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

    def visible(self, kind: str, allowed: Allowed) -> Iterable[tuple[str, _Row]]:
        """What a caller sees of one kind, by exposed name, in order."""
        yield from self._visible(kind, allowed, "")

    def _visible(self, kind: str, allowed: Allowed, after: str) -> Iterable[tuple[str, _Row]]:
        rows, permits = self._rows[kind]
        names = self._names.get(kind)
        if names is None:
            names = self._names[kind] = sorted(rows)
        upstreams = self._endpoint.upstreams
        for name in names[bisect.bisect_right(names, after) :] if after else names:
            row = rows[name]
            if permits(allowed, row) and upstreams[row.upstream].enabled:
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
