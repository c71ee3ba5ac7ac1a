"""A legacy MCP server (official SDK 1.30) that writes down each call it begins and ends, so that a test can count them.

    python counting_legacy.py LOG              # stdio
    python counting_legacy.py LOG --http PORT  # streamable HTTP on that port of this machine; prints `PORT n` first

Tools: flow (reports progress until a file with the mark's name lies beside LOG), ask (a question in the middle of the
call), poke (says that a resource changed, whoever is subscribed: the sessions of changing_legacy.py share what they are
subscribed to), and those of changing_legacy.py. Run it with the Python of peer `mcp1`.
"""

import asyncio
import os
import socket
import sys
import time
from pathlib import Path

import uvicorn
from changing_legacy import Colour, server
from mcp.server.fastmcp import Context
from pydantic import AnyUrl

LOG = Path(sys.argv[1])
PATIENCE_S = 60.0
"""Seconds that a call flows at most."""


def note(what: str) -> None:
    """One line, whole: several processes write."""
    descriptor = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{what}\n".encode())
    os.close(descriptor)


@server.tool()
async def flow(ctx: Context, mark: str) -> str:
    """Report progress until told to end."""
    note(f"began {mark}")
    until = time.monotonic() + PATIENCE_S
    step = 0
    while not LOG.with_name(mark).exists() and time.monotonic() < until:
        step += 1
        await ctx.report_progress(step)
        await asyncio.sleep(0.02)
    note(f"ended {mark}")
    return f"whole {mark}"


@server.tool()
async def ask(ctx: Context, mark: str) -> str:
    """Ask the client for a colour in the middle of the call."""
    note(f"began {mark}")
    given = await ctx.elicit("Which colour?", Colour)
    note(f"ended {mark}")
    return f"whole {mark}" if given.action == "accept" else given.action


@server.tool()
async def poke(ctx: Context, uri: str) -> str:
    """Say that a resource changed."""
    await ctx.session.send_resource_updated(AnyUrl(uri))
    return uri


def main() -> None:
    if "--http" not in sys.argv:
        server.run("stdio")
        return
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", int(sys.argv[3])))
    sock.listen(128)
    print(f"PORT {sock.getsockname()[1]}", flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_level="warning", lifespan="on", timeout_keep_alive=5)
    asyncio.run(uvicorn.Server(config).serve(sockets=[sock]))


if __name__ == "__main__":
    main()
