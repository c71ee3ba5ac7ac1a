"""A look at a server: its tools as it lists them now, read and judged. Approves nothing."""

import asyncio
from dataclasses import dataclass, replace

from mcp_platform.base import clock
from mcp_platform.features.upstreams.check import Found, Reach, ServerSpec, ToolSeen, read_tool
from mcp_platform.features.validation.compile import schema_problem


@dataclass(frozen=True, slots=True)
class Looked:
    """A server's tools, read and judged."""

    era: str
    server: dict[str, object]
    tools: tuple[ToolSeen, ...]
    unnamed: int
    """Tools without a name or larger than the ceiling: they cannot even be listed."""
    ms: float
    """Milliseconds until the server had told everything."""


async def look(spec: ServerSpec, reach: Reach) -> Looked:
    began = clock.monotonic()
    found = await reach.probe(spec)
    ms = round((clock.monotonic() - began) * 1000, 1)
    return await asyncio.to_thread(_judge, found, ms)  # compiling thousands of schemas takes seconds


def _judge(found: Found, ms: float) -> Looked:
    """A tool that is listed twice, or whose schema cannot be enforced, is not for agents."""
    tools: dict[str, ToolSeen] = {}
    unnamed = 0
    for raw in found.tools:
        seen = read_tool(raw)
        if seen is None:
            unnamed += 1
        elif seen.name in tools:
            tools[seen.name] = replace(tools[seen.name], skipped="the server lists two tools of this name")
        elif seen.skipped is None and (problem := schema_problem(seen.input_schema)) is not None:
            tools[seen.name] = replace(seen, skipped=problem)
        else:
            tools[seen.name] = seen
    return Looked(era=found.era, server=found.server, tools=tuple(tools.values()), unnamed=unnamed, ms=ms)
