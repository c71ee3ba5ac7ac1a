"""The official Python client 2.x with one long session: URL, key and mode as arguments (see enduring.py)."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from enduring import Call, endure
from mcp import Client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


@asynccontextmanager
async def session() -> AsyncIterator[Call]:
    url, key, mode = sys.argv[1:]
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as opened,
    ):

        async def call(tool: str, arguments: dict[str, Any]) -> str:
            result = await opened.call_tool(tool, arguments)
            return "".join(part.text for part in result.content if part.type == "text")

        yield call


asyncio.run(endure(session))
