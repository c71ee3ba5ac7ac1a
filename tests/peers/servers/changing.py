"""A legacy MCP server over stdio (official SDK 1.30) that lists what a file says, read anew each time.

    python changing.py LISTS.json

The file holds `tools`, `prompts`, `resources` and `templates`, each a list of objects as MCP has them. The tool
`announce` is always there, and says that the list of tools has changed. Run it with the Python of peer `mcp1`.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import mcp.types as types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.stdio import stdio_server

server: Server[Any, Any] = Server("changing", instructions="Read the file.")
ANNOUNCE = types.Tool(name="announce", inputSchema={"type": "object"})


def listed(kind: str) -> list[dict[str, Any]]:
    return json.loads(Path(sys.argv[1]).read_text()).get(kind, [])


@server.list_tools()
async def tools() -> list[types.Tool]:
    return [ANNOUNCE, *(types.Tool(**each) for each in listed("tools"))]


@server.list_prompts()
async def prompts() -> list[types.Prompt]:
    return [types.Prompt(**each) for each in listed("prompts")]


@server.list_resources()
async def resources() -> list[types.Resource]:
    return [types.Resource(**each) for each in listed("resources")]


@server.list_resource_templates()
async def templates() -> list[types.ResourceTemplate]:
    return [types.ResourceTemplate(**each) for each in listed("templates")]


@server.call_tool(validate_input=False)
async def call(name: str, arguments: dict[str, Any]) -> list[types.TextContent]:
    if name == "announce":
        await server.request_context.session.send_tool_list_changed()
    return [types.TextContent(type="text", text=name)]


async def main() -> None:
    options = server.create_initialization_options(NotificationOptions(tools_changed=True))
    async with stdio_server() as (reader, writer):
        await server.run(reader, writer, options)


asyncio.run(main())
