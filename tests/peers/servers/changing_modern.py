"""A modern MCP server (official SDK 2.3) that changes while it runs, and says so to `subscriptions/listen`.

    python changing_modern.py           # stdio
    python changing_modern.py --http    # streamable HTTP on a free port; prints `PORT n` first

Tools: change (a list), touch (a resource), crash, who. Run it with the Python of peer `mcp2`.
"""

import asyncio
import os
import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("changing-modern")


@server.tool()
async def change(ctx: Context, kind: str = "tools") -> str:
    """Say that a list changed."""
    await getattr(ctx, f"notify_{kind}_changed")()
    return kind


@server.tool()
async def touch(ctx: Context, uri: str) -> str:
    """Say that a resource changed."""
    await ctx.notify_resource_updated(uri)
    return uri


@server.tool()
def crash() -> str:
    """End the process at once, in the middle of the call."""
    os._exit(3)


@server.tool()
def who() -> int:
    """This server's process id."""
    return os.getpid()


@server.resource("note://one")
def note() -> str:
    """A resource."""
    return "one"


def main() -> None:
    if "--http" not in sys.argv:
        server.run("stdio")
        return
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    print(f"PORT {sock.getsockname()[1]}", flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_level="warning", lifespan="on", timeout_keep_alive=5)
    asyncio.run(uvicorn.Server(config).serve(sockets=[sock]))


if __name__ == "__main__":
    main()
