"""The methods that the gateway answers, by name; which era knows which stands in wire.methods."""

from collections.abc import Awaitable, Callable

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import answers
from mcp_platform.gateway.errors import CURSOR_INVALID
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.tools_call import call_tool
from mcp_platform.wire.versions import MODERN_VERSIONS

LIST_TTL_MS = 60_000
"""Milliseconds a client may keep a list: it is private to its caller, and a call to a tool that went is refused."""


async def discover(request: Request) -> None:
    """server/discover."""
    value = {
        "supportedVersions": list(MODERN_VERSIONS),
        "capabilities": {"tools": {}},
        "instructions": answers.INSTRUCTIONS,
        "ttlMs": LIST_TTL_MS,
        "cacheScope": "private",
    }
    request.outlet().result(answers.complete(value, modern=True))


async def list_tools(request: Request) -> None:
    """tools/list."""
    cursor = request.params.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise Fault(CURSOR_INVALID)
    page, following = request.view.lists.page(request.identity, cursor)
    value: dict[str, object] = {"tools": msgspec.Raw(page)}
    if following is not None:
        value["nextCursor"] = following
    if request.modern:
        value.update(ttlMs=LIST_TTL_MS, cacheScope="private")
    request.outlet().result(answers.complete(value, modern=request.modern))


async def ping(request: Request) -> None:
    """ping is answered here: it asks whether we are there."""
    request.outlet().result(b"{}")


SERVED: dict[str, Callable[[Request], Awaitable[None]]] = {
    "ping": ping,
    "server/discover": discover,
    "tools/call": call_tool,
    "tools/list": list_tools,
}
