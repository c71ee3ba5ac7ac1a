"""A look at a server: what it lists now, read and judged. Approves nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mcp_platform.base import clock
from mcp_platform.features.upstreams.check import Found, Reach, ServerSpec
from mcp_platform.features.upstreams.offered import TWICE, ItemSeen, ToolSeen, judge_items, read_tool
from mcp_platform.features.validation.compile import schema_problem

MAX_SAID_BYTES = 65536
"""Bytes of a server's capabilities, of its own description, and characters of its instructions: they stand in the
snapshot of every worker. Larger ones are left out; instructions are cut."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Everything a server lists, read and judged."""

    era: str
    server: dict[str, object]
    tools: tuple[ToolSeen, ...]
    unnamed: int
    """Items without a name or larger than the ceiling: they cannot even be listed."""
    ms: float
    """Milliseconds until the server had told everything."""
    items: Mapping[str, tuple[ItemSeen, ...]] = field(default_factory=dict)
    """`prompts`, `resources` and `templates`; a kind that could not be listed is not here."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Kind that could not be listed → stable code of the error."""
    capabilities: bytes = b"{}"
    server_info: bytes = b"{}"
    instructions: str = ""


async def look(spec: ServerSpec, reach: Reach) -> Looked:
    began = clock.monotonic()
    found = await reach.probe(spec)
    ms = round((clock.monotonic() - began) * 1000, 1)
    return await asyncio.to_thread(judge, found, ms)  # compiling thousands of schemas takes seconds


def judge(found: Found, ms: float) -> Looked:
    """A tool that is listed twice, or whose schema cannot be enforced, is not for agents."""
    tools: dict[str, ToolSeen] = {}
    unnamed = 0
    for raw in found.tools:
        seen = read_tool(raw)
        if seen is None:
            unnamed += 1
        elif seen.name in tools:
            tools[seen.name] = replace(tools[seen.name], skipped=TWICE)
        elif seen.skipped is None and (problem := schema_problem(seen.input_schema)) is not None:
            tools[seen.name] = replace(seen, skipped=problem)
        else:
            tools[seen.name] = seen
    items: dict[str, tuple[ItemSeen, ...]] = {}
    lists = (
        ("prompts", found.prompts, "name"),
        ("resources", found.resources, "uri"),
        ("templates", found.templates, "uriTemplate"),
    )
    for kind, listed, key in lists:
        if kind not in found.problems:
            items[kind], nameless = judge_items(listed, key)
            unnamed += nameless
    return Looked(
        era=found.era,
        server=found.server,
        tools=tuple(tools.values()),
        unnamed=unnamed,
        ms=ms,
        items=items,
        problems=dict(found.problems),
        capabilities=_bounded(found.capabilities),
        server_info=_bounded(found.server_info),
        instructions=found.instructions[:MAX_SAID_BYTES],
    )


def _bounded(said: bytes) -> bytes:
    """A JSON object as it was said; an empty one where it is none, or too large."""
    return said if said.startswith(b"{") and len(said) <= MAX_SAID_BYTES else b"{}"
