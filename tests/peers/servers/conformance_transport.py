"""How the conformance upstream meets its clients: one era or both, over stdio and HTTP, with events that replay."""

from typing import Any

import anyio
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from mcp_types import UNSUPPORTED_PROTOCOL_VERSION

HEADER = b"mcp-protocol-version"
MODERN = b"2026-07-28"


class OneEra:
    """ASGI: lets the SDK's app know one era only, as a server does that was never written for the other.

    Legacy: the header of a later version is not understood, so the request is one without a session. Modern: whatever
    does not come in its era's form is of a version that is not supported.
    """

    def __init__(self, app: Any, only: str | None) -> None:
        self.app = app
        self.only = only

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or self.only is None:
            await self.app(scope, receive, send)
            return
        if self.only == "modern" and scope["method"] != "POST":
            await send({"type": "http.response.start", "status": 405, "headers": [(b"allow", b"POST")]})
            await send({"type": "http.response.body", "body": b""})
            return
        version = dict(scope["headers"]).get(HEADER, b"")
        others = [pair for pair in scope["headers"] if pair[0] != HEADER]
        headers = scope["headers"]
        if self.only == "modern" and version < MODERN:
            headers = [*others, (HEADER, version + b" (legacy)")]
        elif self.only == "legacy" and version >= MODERN:
            headers = others
        await self.app({**scope, "headers": headers}, receive, send)


class Replay(EventStore):
    """Every event of this process's life, in order, so that a stream can be taken up again after any of them."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    async def store_event(self, stream_id: str, message: Any) -> str:
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
        if not last_event_id.isdecimal() or not 0 < int(last_event_id) <= len(self.events):
            return None
        after = int(last_event_id)
        stream = self.events[after - 1][0]
        for number, (owner, message) in enumerate(self.events[after:], after + 1):
            if owner == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


async def refuse_initialize(ctx: Any, call_next: Any) -> Any:
    """Middleware of a server that is modern only."""
    if ctx.method == "initialize":
        data = {"supported": [MODERN.decode()], "requested": str((ctx.params or {}).get("protocolVersion", ""))}
        raise MCPError(UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", data)
    return await call_next(ctx)


async def answer_stdio(server: Any, options: Any, only: str | None) -> None:
    if only == "modern":
        server.middleware.insert(0, refuse_initialize)
    async with stdio_server() as (reading, writing):
        if only != "legacy":
            await server.run(reading, writing, options)
            return
        async with server.lifespan(server) as state, anyio.create_task_group():
            await serve_loop(server, reading, writing, lifespan_state=state, init_options=options)
