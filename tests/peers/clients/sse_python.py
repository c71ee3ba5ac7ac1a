"""The official Python client's HTTP+SSE transport (2024-11-05) as a program: URL and key as arguments, outcomes on
stdout. Run by the Python of the peer `mcp1` or `mcp2`."""

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession, types
from mcp.client.sse import sse_client


async def outcomes(url: str, key: str) -> dict[str, Any]:
    progress: list[float] = []

    async def elicit(context: Any, params: Any) -> Any:
        return types.ElicitResult(action="accept", content={"colour": "green"})

    async def note(done: float, total: float | None, message: str | None) -> None:
        progress.append(done)

    async with (
        sse_client(url, headers={"Authorization": f"Bearer {key}"}) as (reading, writing),
        ClientSession(reading, writing, elicitation_callback=elicit) as session,
    ):
        started = await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        await session.send_ping()
        echoed = await session.call_tool("echo", {"text": "over SSE"})
        asked = await session.call_tool("ask", {})
        stepped = await session.call_tool("progress", {"steps": 3, "pause_s": 0.05}, progress_callback=note)
        version = getattr(started, "protocolVersion", None) or started.protocol_version
        texts = [result.content[0].text for result in (echoed, asked, stepped)]
        return {"version": version, "tools": tools, "texts": texts, "progress": progress}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(outcomes(*sys.argv[1:]))))
