"""A dual-era MCP server (official SDK 2.3) for a gateway's tests; a modern client is served statelessly.

    python asking_modern.py           # stdio
    python asking_modern.py --http    # streamable HTTP on a free port; prints `PORT n` first

Tools: echo, add, ask (input_required towards modern clients, elicitation towards legacy ones), progress, hang,
cancellations, who. Run it with the Python of peer `mcp2`.
"""

import sys
from typing import Annotated

from mcp.server.mcpserver import Context, Elicit, MCPServer, RequestStateSecurity, Resolve
from tools import SHARED, Colour, listen, report

server = MCPServer("asking-modern", request_state_security=RequestStateSecurity(keys=[b"k" * 32]))
for tool in SHARED:
    server.tool()(tool)


async def which_colour() -> Elicit[Colour]:
    return Elicit("Which colour?", Colour)


@server.tool()
async def ask(colour: Annotated[Colour, Resolve(which_colour)]) -> str:
    """Ask the client for a colour."""
    return f"accept:{colour.colour}"


@server.tool()
async def progress(ctx: Context, steps: int = 3, pause_s: float = 0.01) -> str:
    """Report progress `steps` times, `pause_s` apart."""
    return await report(ctx.report_progress, steps, pause_s)


def main() -> None:
    if "--http" in sys.argv:
        listen(server.streamable_http_app())
    else:
        server.run("stdio")


if __name__ == "__main__":
    main()
