"""A dual-era MCP server (official SDK 2.3) for a gateway's tests; a modern client is served statelessly.

    python asking_modern.py           # stdio
    python asking_modern.py --http    # streamable HTTP on a free port; prints `PORT n` first

Tools: echo, add, ask (input_required towards modern clients, elicitation towards legacy ones), progress, hang,
cancellations, who. Run it with the Python of peer `mcp2`.
"""

import asyncio
import os
import socket
import sys
from typing import Annotated

import uvicorn
from mcp.server.mcpserver import Context, Elicit, MCPServer, RequestStateSecurity, Resolve
from pydantic import BaseModel

server = MCPServer("asking-modern", request_state_security=RequestStateSecurity(keys=[b"k" * 32]))
cancelled = 0


class Colour(BaseModel):
    colour: str


async def which_colour() -> Elicit[Colour]:
    return Elicit("Which colour?", Colour)


@server.tool()
def echo(text: str) -> str:
    """Give `text` back."""
    return text


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
async def ask(colour: Annotated[Colour, Resolve(which_colour)]) -> str:
    """Ask the client for a colour."""
    return f"accept:{colour.colour}"


@server.tool()
async def progress(ctx: Context, steps: int = 3, pause_s: float = 0.01) -> str:
    """Report progress `steps` times, `pause_s` apart."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps, f"step {step + 1}")
        await asyncio.sleep(pause_s)
    return f"{steps} steps"


@server.tool()
async def hang() -> str:
    """Never answer; count the cancellation when one comes."""
    global cancelled
    try:
        await asyncio.sleep(3600)
    except BaseException:
        cancelled += 1
        raise
    return "unreachable"


@server.tool()
def cancellations() -> int:
    """How many calls of `hang` were cancelled."""
    return cancelled


@server.tool()
def who() -> int:
    """This server's process id."""
    return os.getpid()


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
