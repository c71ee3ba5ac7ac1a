"""The official Python client 1.x as a program: URL and key as arguments, steps as JSON on stdin, outcomes on stdout.

See steps.py. Run by the Python of the peer `mcp1`, never by the product's.
"""

from typing import Any

from mcp import ClientSession, McpError
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from steps import Outcome, main, outcomes, told


async def connect(url: str, key: str, steps: list[list[Any]]) -> list[Outcome]:
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        streamable_http_client(url, http_client=http) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        started = await session.initialize()

        async def ask(step: list[Any]) -> Outcome:
            if step[0] == "list":
                return {"tools": [tool.name for tool in (await session.list_tools()).tools]}
            result = await session.call_tool(step[1], step[2])
            return told(bool(result.isError), result.content)

        return [{"era": started.protocolVersion}, *await outcomes(ask, steps, McpError)]


if __name__ == "__main__":
    main(connect, McpError)
