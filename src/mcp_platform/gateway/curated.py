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
from mcp_platform.gateway.endpoint import Endpoint, Wording
from mcp_platform.snapshot.model import Snapshot

Named = TypeVar("Named", ToolRow, PromptRow)
Place = tuple[str, str]
"""A server's name and its own name for something."""


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
    wording: dict[tuple[str, str], Wording] = {}
    tools: dict[str, ToolRow] = {}
    prompts: dict[str, PromptRow] = {}
    resources: dict[str, ResourceRow] = {}
    templates: dict[str, TemplateRow] = {}
    for item in virtual.items:
        place = (item.server, item.own)
        if item.kind == TOOLS:
            _take(tools, offered.tools.get(place), item, wording)
        elif item.kind == PROMPTS:
            _take(prompts, offered.prompts.get(place), item, wording)
        elif item.kind == RESOURCES and (resource := offered.resources.get(place)) is not None:
            resources[resource.exposed] = resource
            _word(wording, item, resource.exposed, None)
        elif item.kind == TEMPLATES and (template := offered.templates.get(place)) is not None:
            templates[template.exposed] = template
            _word(wording, item, template.exposed, None)
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
        wording=wording,
    )


def _take(
    rows: dict[str, Named], row: Named | None, item: VirtualItem, wording: dict[tuple[str, str], Wording]
) -> None:
    """Its definition, hash and schema stay those that were approved; only the name is another."""
    if row is None:
        return
    same = row.exposed == item.exposed
    rows[item.exposed] = row if same else msgspec.structs.replace(row, exposed=item.exposed)
    _word(wording, item, item.exposed, None if same else item.exposed)


def _word(wording: dict[tuple[str, str], Wording], item: VirtualItem, exposed: str, name: str | None) -> None:
    if name is not None or item.description is not None:
        wording[item.kind, exposed] = Wording(name, item.description)
