"""What one URL of the agents' surface offers: at `/mcp` everything that is approved, cut down by each caller's roles.

A revision has its own endpoints; a request reads one from start to end.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Protocol
from urllib.parse import quote, unquote

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow, UpstreamRow
from mcp_platform.features.virtualservers.check import may_use, worded
from mcp_platform.features.virtualservers.model import CALL_TOOL, VirtualItem
from mcp_platform.gateway import uri_template
from mcp_platform.gateway.declared import declared
from mcp_platform.gateway.item import PROMPT, RESOURCE, TOOL, Item
from mcp_platform.gateway.seen import Row, may_see
from mcp_platform.snapshot.model import Snapshot

OWN_SCHEME = "mcpp://"
"""`mcpp://SERVER/URI`: a resource named together with its server, its URI percent-encoded. Always understood."""
MAX_USABLE = 256
"""Sets of permissions of which it is remembered which servers they reach."""


class _Row(Protocol):
    @property
    def upstream(self) -> str: ...


class Endpoint:
    """The tools, prompts and resources behind one URL, by the names that its callers use."""

    def __init__(
        self,
        name: str,
        upstreams: Mapping[str, UpstreamRow],
        tools: Mapping[str, ToolRow],
        prompts: Mapping[str, PromptRow],
        resources: Mapping[str, ResourceRow],
        templates: Mapping[str, TemplateRow],
        *,
        curated: bool = False,
        instructions: str = "",
        about: str = "",
        roles: frozenset[str] = frozenset(),
        tool_search: bool = False,
        worded: Mapping[tuple[str, str], VirtualItem] | None = None,
    ) -> None:
        self.name = name
        """Empty for `/mcp`."""
        self.curated = curated
        """True where only what was chosen may be read, and nothing that no list names."""
        self.instructions = instructions
        """What it says of itself, in place of what its servers say; empty for what we and they say."""
        self.about = about
        """What it is, in the operator's words; empty for what we say of all."""
        self.tool_search = tool_search
        """True where agents are shown `search_tools` and `call_tool` in place of the tools."""
        self.upstreams = upstreams
        """By id."""
        self.tools = tools
        self.prompts = prompts
        self.resources = resources
        self.templates = templates
        self._roles = roles
        self._worded = worded or {}
        self._items: dict[str, Item] = {}
        """Tools that were asked for."""
        self._renamed: dict[str, dict[str, str]] | None = None
        self._usable: dict[int, tuple[Allowed, list[UpstreamRow]]] = {}
        """By permissions, which are kept so that each id stays its own."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Endpoint":
        """`/mcp`."""
        return cls("", snapshot.upstreams, snapshot.tools, snapshot.prompts, snapshot.resources, snapshot.templates)

    def admits(self, roles: Iterable[str]) -> bool:
        """Whether a caller who holds `roles` may come here at all. What they may use here they may use at `/mcp`."""
        return may_use(self._roles, roles)

    def definition(self, kind: str, name: str, definition: bytes) -> bytes:
        """What lists say of a row, by kind of item and its name here: the server's words, or the operator's."""
        item = self.wording(kind, name)
        return definition if item is None else worded(definition, item.exposed or None, item.description)

    def wording(self, kind: str, name: str) -> VirtualItem | None:
        """The item that an operator has put into other words than its server's; None where they are the same."""
        return self._worded.get((kind, name))

    def called(self, params: Mapping[str, object]) -> object:
        """The name of the tool that a tools/call with these parameters calls in the end; it may be anything."""
        name, arguments = params.get("name"), params.get("arguments")
        if self.tool_search and name == CALL_TOOL:
            return arguments.get("name") if isinstance(arguments, dict) else None
        return name

    def tool(self, name: str, allowed: Allowed) -> Item | None:
        """The tool of that name, if the caller may call it. One that is forbidden looks like one that is not there."""
        item = self._items.get(name)
        if item is None:
            row = self.tools.get(name)
            upstream = self._upstream(row)
            if row is None or upstream is None:
                return None
            item = Item(TOOL, upstream, row.name, name, row.definition_hash, row.read_only, row)
            self._items[name] = item
        return item if item.permitted(allowed) else None

    def prompt(self, name: str, allowed: Allowed) -> Item | None:
        """Likewise."""
        row = self.prompts.get(name)
        upstream = self._upstream(row)
        if row is None or upstream is None:
            return None
        item = Item(PROMPT, upstream, row.name, name, row.definition_hash)
        return item if item.permitted(allowed) else None

    def template(self, template: str, allowed: Allowed) -> Item | None:
        """The resource template that is listed under that text, if the caller may read from its server so."""
        row = self.templates.get(template)
        upstream = self._upstream(row)
        if row is None or upstream is None:
            return None
        item = Item(RESOURCE, upstream, row.template, template, row.definition_hash)
        return item if item.permitted(allowed) else None

    def resource(self, uri: str, allowed: Allowed) -> Item | None:
        """The resource behind `uri`, if the caller may read it. In this order: one that is listed; `mcpp://SERVER/…`;
        one that a template makes; and, because servers name resources in results that no list has, whatever the
        only server is asked for that the caller may read from."""
        row = self.resources.get(uri)
        if row is not None:
            return self._readable(row.upstream, row.uri, uri, row.definition_hash, allowed)
        if uri.startswith(OWN_SCHEME) and not self.curated:
            return self._named_with_server(uri, allowed)
        made = self._made_by_template(uri, allowed)
        if made is not None or self.curated:
            return made
        able = [row for row in self.upstreams.values() if row.enabled and allowed.permits_resource(row.name, uri)]
        serving = [row for row in able if (seen := declared(row.capabilities)) and seen.resources is not None]
        return Item(RESOURCE, serving[0], uri, uri) if len(serving) == 1 else None

    def renamed_of(self, upstream: str) -> dict[str, str]:
        """The server's own URI → the one that callers use, for its resources that have another here."""
        if self._renamed is None:
            self._renamed = {}
            for exposed, row in self.resources.items():
                if exposed != row.uri:
                    self._renamed.setdefault(row.upstream, {})[row.uri] = exposed
        return self._renamed.get(upstream, {})

    def usable_by(self, allowed: Allowed) -> list[UpstreamRow]:
        """The servers of which such callers may use something, by name."""
        known = self._usable.get(id(allowed))
        if known is None:
            if len(self._usable) >= MAX_USABLE:
                self._usable.clear()
            known = self._usable[id(allowed)] = (allowed, self._usable_by(allowed))
        return known[1]

    def _usable_by(self, allowed: Allowed) -> list[UpstreamRow]:
        rows: Iterable[Row] = chain.from_iterable(
            of.values() for of in (self.tools, self.prompts, self.resources, self.templates)
        )
        servers = {row.upstream for row in rows if may_see(allowed, row)}
        usable = [self.upstreams[identity] for identity in servers if identity in self.upstreams]
        return sorted((row for row in usable if row.enabled), key=lambda row: row.name)

    def find(self, item: Item, allowed: Allowed) -> Item | None:
        """The same thing as this endpoint has it now, for a caller who may do `allowed`; None where it is gone,
        forbidden, or another's."""
        look = {TOOL: self.tool, PROMPT: self.prompt, RESOURCE: self.resource}[item.kind]
        found = look(item.exposed, allowed)
        if found is None and item.kind == RESOURCE:
            found = self.template(item.exposed, allowed)
        return found if found is not None and found.upstream.id == item.upstream.id else None

    def _made_by_template(self, uri: str, allowed: Allowed) -> Item | None:
        """By the template that says most about `uri`, so that one which takes anything takes nothing from others."""
        best: Item | None = None
        most = -1
        for exposed, row in self.templates.items():
            said = uri_template.literal_characters(exposed)
            if said > most and uri_template.matches(exposed, uri):
                item = self._readable(row.upstream, _own(uri), uri, row.definition_hash, allowed)
                if item is not None:
                    best, most = item, said
        return best

    def _named_with_server(self, uri: str, allowed: Allowed) -> Item | None:
        server = uri.removeprefix(OWN_SCHEME).partition("/")[0]
        for upstream in self.upstreams.values():
            if upstream.name == server:
                return self._readable(upstream.id, _own(uri), uri, "", allowed)
        return None

    def _readable(self, upstream: str, own: str, exposed: str, definition: str, allowed: Allowed) -> Item | None:
        row = self.upstreams.get(upstream)
        if row is None or not row.enabled:
            return None
        item = Item(RESOURCE, row, own, exposed, definition)
        return item if item.permitted(allowed) else None

    def _upstream(self, row: _Row | None) -> UpstreamRow | None:
        upstream = None if row is None else self.upstreams.get(row.upstream)
        return upstream if upstream is not None and upstream.enabled else None


def with_server(server: str, uri: str) -> str:
    """The name of a resource that says whose it is."""
    return f"{OWN_SCHEME}{server}/{quote(uri, safe='')}"


def _own(uri: str) -> str:
    """The server's own URI in one that may say whose it is."""
    return unquote(uri.removeprefix(OWN_SCHEME).partition("/")[2]) if uri.startswith(OWN_SCHEME) else uri
