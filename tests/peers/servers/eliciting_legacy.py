"""A legacy MCP server (official SDK 1.30) whose tools do to a gateway what real and broken servers do.

    python eliciting_legacy.py                 # stdio
    python eliciting_legacy.py --http [--json] # streamable HTTP on a free port; prints `PORT n` first

Tools: echo, add, ask (elicitation), ask_and_go_on, sample, roots, progress, hang, crash, garbage, huge, fork,
environment, who, log. Run it with the Python of peer `mcp1`.
"""

import asyncio
import os
import subprocess
import sys

import mcp.types as types
from mcp.server.fastmcp import Context, FastMCP
from tools import SHARED, Colour, listen, report

server = FastMCP("eliciting-legacy", json_response="--json" in sys.argv)
for tool in SHARED:
    server.tool()(tool)


@server.tool()
async def ask(ctx: Context, question: str = "Which colour?") -> str:
    """Ask the client for a colour in the middle of the call."""
    given = await ctx.elicit(question, Colour)
    return f"{given.action}:{given.data.colour}" if given.action == "accept" else given.action


@server.tool()
async def ask_and_go_on(ctx: Context) -> str:
    """Ask the client for a colour, and answer before it does."""
    asking = asyncio.create_task(ctx.elicit("Which colour?", Colour))
    await asyncio.sleep(0.02)
    asking.cancel()
    return "went on"


@server.tool()
async def sample(ctx: Context) -> str:
    """Ask the client's model."""
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="hello"))
    given = await ctx.session.create_message([message], max_tokens=8)
    return given.content.text


@server.tool()
async def roots(ctx: Context) -> str:
    """Ask for the client's roots."""
    given = await ctx.session.list_roots()
    return ",".join(str(root.uri) for root in given.roots)


@server.tool()
async def progress(ctx: Context, steps: int = 3, pause_s: float = 0.01) -> str:
    """Report progress `steps` times, `pause_s` apart."""
    return await report(ctx.report_progress, steps, pause_s)


@server.tool()
def crash() -> str:
    """End the process at once, in the middle of the call."""
    os._exit(3)


@server.tool()
async def garbage() -> str:
    """Write something that looks like an answer and is none, then never answer."""
    os.write(1, b'{"jsonrpc": "2.0", "id": \n')
    await asyncio.sleep(3600)
    return "unreachable"


@server.tool()
def prints() -> str:
    """Write a line to stdout that is no message, as forgotten debug output does, and answer."""
    os.write(1, b"debugging: here I am\n")
    return "printed"


@server.tool()
def huge(megabytes: int = 100) -> str:
    """Answer with a text of so many megabytes."""
    return "x" * (megabytes * 1_000_000)


@server.tool()
def fork() -> int:
    """Leave a grandchild behind that ignores everything but SIGKILL; its process id."""
    code = "import signal,time\nfor s in (1,2,15): signal.signal(s, signal.SIG_IGN)\ntime.sleep(600)"
    nothing = subprocess.DEVNULL
    command = [sys.executable, "-c", code]
    child = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
    return child.pid


@server.tool()
def environment() -> dict[str, str]:
    """The environment the server was started with."""
    return dict(os.environ)


@server.tool()
def log(text: str) -> str:
    """Write `text` to stderr."""
    os.write(2, text.encode() + b"\n")
    return "logged"


def main() -> None:
    if "--http" in sys.argv:
        listen(server.streamable_http_app())
    else:
        server.run("stdio")


if __name__ == "__main__":
    main()
