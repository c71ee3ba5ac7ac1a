"""The official Python client 2.x as a program: URL and key as arguments, steps as JSON on stdin, outcomes on stdout.

See steps.py. Run by the Python of the peer `mcp2`, never by the product's.
"""

from typing import Any

from mcp import Client, MCPError
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from steps import Outcome, main, outcomes, told


async def connect(url: str, key: str, steps: list[list[Any]]) -> list[Outcome]:
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):

        async def ask(step: list[Any]) -> Outcome:
            if step[0] == "list":
                return {"tools": [tool.name for tool in (await client.list_tools()).tools]}
            result = await client.call_tool(step[1], step[2])
            return told(bool(result.is_error), result.content)

        return [{"era": client.protocol_version}, *await outcomes(ask, steps, MCPError)]


if __name__ == "__main__":
    main(connect, MCPError)
