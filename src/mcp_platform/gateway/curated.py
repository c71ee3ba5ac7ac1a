"""Endpoints of virtual servers: what was chosen, as far as it is there in this revision."""

from functools import cached_property
from typing import TypeVar

import msgspec

from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow
from mcp_platform.features.virtualservers.model import (
    PROMPTS,
    RESOURCES,
    TEMPLATES,
    TOOLS,
    VirtualItem,
    VirtualRow,
)
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.snapshot.model import Snapshot

Named = TypeVar("Named", ToolRow, PromptRow)
ByUri = TypeVar("ByUri", ResourceRow, TemplateRow)
Place = tuple[str, str]
"""A server's name and its own name for something; of what an operator words, its kind and its name here."""


class Offered:
    """What all servers offer in one revision, by server and own name. Made when a virtual server is first asked for:
    10,000 tools take 2 ms."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @cached_property
    def tools(self) -> dict[Place, ToolRow]:
        return {(row.server, row.name): row for row in self._snapshot.tools.values()}

    @cached_property
    def prompts(self) -> dict[Place, PromptRow]:
        return {(row.server, row.name): row for row in self._snapshot.prompts.values()}

    @cached_property
    def resources(self) -> dict[Place, ResourceRow]:
        return {(row.server, row.uri): row for row in self._snapshot.resources.values()}

    @cached_property
    def templates(self) -> dict[Place, TemplateRow]:
        return {(row.server, row.template): row for row in self._snapshot.templates.values()}


def endpoint_of(virtual: VirtualRow, snapshot: Snapshot, offered: Offered) -> Endpoint:
    """What `virtual` offers. What its server does not offer now is left out, and is there again when it is."""
    worded: dict[Place, VirtualItem] = {}
    tools: dict[str, ToolRow] = {}
    prompts: dict[str, PromptRow] = {}
    resources: dict[str, ResourceRow] = {}
    templates: dict[str, TemplateRow] = {}
    for item in virtual.items:
        place = (item.server, item.own)
        if item.kind == TOOLS:
            _take(tools, offered.tools.get(place), item, worded)
        elif item.kind == PROMPTS:
            _take(prompts, offered.prompts.get(place), item, worded)
        elif item.kind == RESOURCES:
            _take_by_uri(resources, offered.resources.get(place), item, worded)
        elif item.kind == TEMPLATES:
            _take_by_uri(templates, offered.templates.get(place), item, worded)
    return Endpoint(
        virtual.name,
        snapshot.upstreams,
        tools,
        prompts,
        resources,
        templates,
        curated=True,
        instructions=virtual.instructions,
        about="\n\n".join(filter(None, [virtual.title, virtual.description])),
        roles=frozenset(virtual.roles),
        tool_search=virtual.tool_search,
        worded=worded,
    )


def _take(rows: dict[str, Named], row: Named | None, item: VirtualItem, worded: dict[Place, VirtualItem]) -> None:
    """Its definition, hash and schema stay those that were approved; only the name is another."""
    if row is None:
        return
    same = row.exposed == item.exposed
    rows[item.exposed] = row if same else msgspec.structs.replace(row, exposed=item.exposed)
    if not same or item.description is not None:
        worded[item.kind, item.exposed] = item


def _take_by_uri(
    rows: dict[str, ByUri], row: ByUri | None, item: VirtualItem, worded: dict[Place, VirtualItem]
) -> None:
    """Its URI stays the one at `/mcp`."""
    if row is None:
        return
    rows[row.exposed] = row
    if item.description is not None:
        worded[item.kind, row.exposed] = item
