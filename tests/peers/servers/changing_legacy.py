"""A legacy MCP server (official SDK 1.30) that changes while it runs, and says so; for whoever listens.

    python changing_legacy.py                  # stdio
    python changing_legacy.py --http | --sse   # on a free port; prints `PORT n` first

Tools: change (a list), touch (a resource), ask_aside and sample_aside (a question on no call's own stream), level (the
log level that was set), subscribed, poll (ends the call's stream before the answer), roots_changed (how often the
client said so), crash, who. Run it with the Python of peer `mcp1`.
"""

import asyncio
import itertools
import os
import socket
import sys
from typing import Any

import mcp.types as types
import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.streamable_http import EventMessage, EventStore
from pydantic import AnyUrl, BaseModel


class Memory(EventStore):
    """Every event, for whoever reads on."""

    def __init__(self) -> None:
        self.ids = itertools.count(1)
        self.events: list[tuple[str, str, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        identity = str(next(self.ids))
        self.events.append((identity, stream_id, message))
        return identity

    async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
        stream = next((stream for identity, stream, _ in self.events if identity == last_event_id), None)
        for identity, of, message in list(self.events):
            if of == stream and message is not None and int(identity) > int(last_event_id):
                await send_callback(EventMessage(message, identity))
        return stream


server = FastMCP("changing-legacy", event_store=Memory(), retry_interval=100)
low = server._mcp_server
subscribed_to: set[str] = set()
level_set = ""
roots_changes = 0


class Colour(BaseModel):
    colour: str


@server.tool()
async def change(ctx: Context, kind: str = "tools") -> str:
    """Say that a list changed."""
    await getattr(ctx.session, f"send_{kind.removesuffix('s')}_list_changed")()
    return kind


@server.tool()
async def touch(ctx: Context, uri: str) -> str:
    """Say that a resource changed, where it is subscribed."""
    if uri in subscribed_to:
        await ctx.session.send_resource_updated(AnyUrl(uri))
    return uri


@server.tool()
async def ask_aside(ctx: Context) -> str:
    """Ask for a colour, not on the call's own stream."""
    given = await ctx.session.elicit_form("Which colour?", Colour.model_json_schema())
    return f"{given.action}:{(given.content or {}).get('colour')}"


@server.tool()
async def sample_aside(ctx: Context) -> str:
    """Ask the client's model with a tool to call, not on the call's own stream."""
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="hello"))
    look = types.Tool(name="look", inputSchema={"type": "object"})
    given = await ctx.session.create_message([message], max_tokens=8, tools=[look])
    return given.model


@server.tool()
async def poll(ctx: Context) -> str:
    """End the stream of this call, and answer on the one that is read on."""
    await ctx.close_sse_stream()
    await asyncio.sleep(0.3)
    return "read on"


@server.tool()
def level() -> str:
    """The log level that was set last."""
    return level_set


@server.tool()
def subscribed() -> list[str]:
    """What is subscribed."""
    return sorted(subscribed_to)


@server.tool()
def crash() -> str:
    """End the process at once, in the middle of the call."""
    os._exit(3)


@server.tool()
def who() -> int:
    """This server's process id."""
    return os.getpid()


@server.tool()
def roots_changed() -> int:
    """How often a client said that its roots changed."""
    return roots_changes


@low.set_logging_level()
async def set_level(level: types.LoggingLevel) -> None:
    global level_set
    level_set = level


@low.subscribe_resource()
async def subscribe(uri: AnyUrl) -> None:
    subscribed_to.add(str(uri))


@low.unsubscribe_resource()
async def unsubscribe(uri: AnyUrl) -> None:
    subscribed_to.discard(str(uri))


async def roots_did_change(notification: types.RootsListChangedNotification) -> None:
    global roots_changes
    roots_changes += 1


low.notification_handlers[types.RootsListChangedNotification] = roots_did_change
capabilities = low.get_capabilities


def with_subscriptions(options: NotificationOptions, experimental: dict[str, Any]) -> types.ServerCapabilities:
    """This SDK never declares `subscribe`, though it serves it."""
    said = capabilities(NotificationOptions(True, True, True), experimental)
    said.resources = types.ResourcesCapability(subscribe=True, listChanged=True)
    return said


low.get_capabilities = with_subscriptions


def main() -> None:
    if "--http" not in sys.argv and "--sse" not in sys.argv:
        server.run("stdio")
        return
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    print(f"PORT {sock.getsockname()[1]}", flush=True)
    app = server.sse_app() if "--sse" in sys.argv else server.streamable_http_app()
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_keep_alive=5)
    asyncio.run(uvicorn.Server(config).serve(sockets=[sock]))


if __name__ == "__main__":
    main()
