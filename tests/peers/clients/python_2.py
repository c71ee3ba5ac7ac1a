"""The official Python client 2.x as a program: URL and key as arguments, steps as JSON on stdin, outcomes on stdout.

Steps are `["list"]` and `["call", NAME, ARGUMENTS]`. Run by the Python of the peer `mcp2`, never by the product's.
"""

import asyncio
import json
import sys
from typing import Any

from mcp import Client, MCPError
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


async def outcome(client: Client, step: list[Any]) -> dict[str, Any]:
    try:
        if step[0] == "list":
            return {"tools": [tool.name for tool in (await client.list_tools()).tools]}
        result = await client.call_tool(step[1], step[2])
        return {"failed": bool(result.is_error), "text": [part.text for part in result.content if part.type == "text"]}
    except MCPError as error:
        return {"error": {"code": error.error.code, "message": error.error.message, "data": error.error.data}}


async def outcomes(url: str, key: str, steps: list[list[Any]]) -> list[dict[str, Any]]:
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        return [{"era": client.protocol_version}, *[await outcome(client, step) for step in steps]]


def leaves(error: BaseException) -> list[BaseException]:
    inner = getattr(error, "exceptions", ())
    return [leaf for part in inner for leaf in leaves(part)] if inner else [error]


def refusal(error: BaseException) -> dict[str, Any]:
    """What stopped the connection: HTTP statuses and JSON-RPC codes, wherever the client put them."""
    found = []
    for leaf in leaves(error):
        answer = getattr(leaf, "response", None)
        if answer is not None:
            found.append(answer.status_code)
        if isinstance(leaf, MCPError):
            found.append(leaf.error.code)
    return {"refused": found, "message": "; ".join(str(leaf) for leaf in leaves(error))}


def main() -> None:
    url, key = sys.argv[1:]
    try:
        said: list[dict[str, Any]] = asyncio.run(outcomes(url, key, json.load(sys.stdin)))
    except Exception as error:
        said = [refusal(error)]
    print(json.dumps(said))


if __name__ == "__main__":
    main()
