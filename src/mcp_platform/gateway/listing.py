"""tools/list: what a caller may use, from the snapshot alone, so that no dead upstream empties it.

The order is that of the exposed names, and the pages are cut by name, so that a list is the same for everybody who
may see the same tools, and a page stays right when tools come and go.
"""

import bisect

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway.errors import CURSOR_INVALID
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.sealed import Seal
from mcp_platform.snapshot.model import Snapshot

PAGE_TOOLS = 500
"""Tools on a page: about 500 KiB at 1 KiB a definition."""
MAX_KEPT = 64
"""Pages kept ready in one revision."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where the next page begins, for whom."""

    principal: str
    after: str


class ToolLists:
    """The lists of one revision."""

    def __init__(self, snapshot: Snapshot, secret: bytes) -> None:
        self._snapshot = snapshot
        self._names: list[str] | None = None
        self._seal = Seal(secret, "tools/list cursor v1", Cursor)
        self._pages: dict[tuple[int, str], tuple[bytes, str | None]] = {}

    def page(self, identity: Identity, cursor: str | None) -> tuple[bytes, str | None]:
        """The JSON array of one page and the cursor of the next. Raises Fault(cursor_invalid)."""
        after = ""
        if cursor is not None:
            opened = self._seal.open(cursor)
            if opened is None or opened.principal != identity.principal.id:
                raise Fault(CURSOR_INVALID)
            after = opened.after
        # The authenticator of this revision holds one Allowed for each combination of roles and scopes.
        key = (id(identity.allowed), after)
        kept = self._pages.get(key)
        if kept is None:
            kept = self._make(identity, after)
            if len(self._pages) < MAX_KEPT:
                self._pages[key] = kept
        array, last = kept
        return array, self._seal.seal(Cursor(identity.principal.id, last)) if last is not None else None

    def _make(self, identity: Identity, after: str) -> tuple[bytes, str | None]:
        if self._names is None:
            self._names = sorted(self._snapshot.tools)
        tools = self._snapshot.tools
        upstreams = self._snapshot.upstreams
        page: list[msgspec.Raw] = []
        last = ""
        for name in self._names[bisect.bisect_right(self._names, after) :] if after else self._names:
            tool = tools[name]
            if not identity.allowed.permits(tool.server, tool.name) or not upstreams[tool.upstream].enabled:
                continue
            if len(page) == PAGE_TOOLS:
                return msgspec.json.encode(page), last
            page.append(msgspec.Raw(tool.definition))
            last = name
        return msgspec.json.encode(page), None
