"""A legacy MCP server (official SDK 1.30) that remembers within a session, as browsers and shells behind MCP do.

    python remembering_legacy.py           # stdio
    python remembering_legacy.py --http    # streamable HTTP on a free port, printed as `PORT n`; --sse: HTTP+SSE

Tools: remember, recall; watch says that `note://one` changed, to the session alone in which it is called. Run it with
the Python of peer `mcp1`.
"""

from weakref import WeakKeyDictionary

from changing_legacy import main, server
from mcp.server.fastmcp import Context
from mcp.server.session import ServerSession
from pydantic import AnyUrl

MEMORY: "WeakKeyDictionary[ServerSession, list[str]]" = WeakKeyDictionary()


@server.tool()
async def remember(ctx: Context, text: str) -> str:
    """Remember a text for the rest of the session."""
    MEMORY.setdefault(ctx.session, []).append(text)
    return "remembered"


@server.tool()
async def recall(ctx: Context) -> str:
    """All that was remembered in this session."""
    return ",".join(MEMORY.get(ctx.session, []))


@server.tool()
async def watch(ctx: Context) -> str:
    """Say that note://one changed, to nobody else."""
    await ctx.session.send_resource_updated(AnyUrl("note://one"))
    return "said"


if __name__ == "__main__":
    main()
