"""The methods that the gateway answers, by name; which era knows which stands in wire.methods."""

from collections.abc import Awaitable, Callable

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import about, answers, tasks
from mcp_platform.gateway.completion import complete
from mcp_platform.gateway.errors import CURSOR_INVALID
from mcp_platform.gateway.listening import listen
from mcp_platform.gateway.listing import TEMPLATE
from mcp_platform.gateway.prompts_get import get_prompt
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.resources_read import read_resource
from mcp_platform.gateway.session_methods import set_level, subscribe, unsubscribe
from mcp_platform.gateway.tools_call import call_tool
from mcp_platform.wire.versions import MODERN_VERSIONS

LIST_TTL_MS = 60_000
"""Milliseconds a client may keep a list: it is private to its caller, and a call to a tool that went is refused."""
STALE_KEY = "mcp-platform/stale"
"""`_meta` member of a list: servers that cannot be reached now, and why; their items are the last that they listed."""


async def discover(request: Request) -> None:
    """server/discover."""
    allowed = request.identity.allowed
    value = {
        "supportedVersions": list(MODERN_VERSIONS),
        "capabilities": about.capabilities(request.endpoint, allowed, modern=True),
        "instructions": about.instructions(request.endpoint, allowed),
        "ttlMs": LIST_TTL_MS,
        "cacheScope": "private",
    }
    request.outlet().result(answers.complete(value, modern=True))


def lister(kind: str) -> Callable[[Request], Awaitable[None]]:
    """tools/list, prompts/list, resources/list, resources/templates/list."""

    async def list_items(request: Request) -> None:
        cursor = request.params.get("cursor")
        if cursor is not None and not isinstance(cursor, str):
            raise Fault(CURSOR_INVALID)
        page, following = request.view.lists(request.endpoint).page(kind, request.identity, cursor)
        value: dict[str, object] = {kind: msgspec.Raw(page.items)}
        if following is not None:
            value["nextCursor"] = following
        if request.modern:
            value.update(ttlMs=LIST_TTL_MS, cacheScope="private")
        meta = {STALE_KEY: page.stale} if page.stale else {}
        request.outlet().result(answers.complete(value, modern=request.modern, meta=meta))

    return list_items


async def ping(request: Request) -> None:
    """ping is answered here: it asks whether we are there."""
    request.outlet().result(b"{}")


SERVED: dict[str, Callable[[Request], Awaitable[None]]] = {
    "completion/complete": complete,
    "logging/setLevel": set_level,
    "ping": ping,
    "prompts/get": get_prompt,
    "prompts/list": lister("prompts"),
    "resources/list": lister("resources"),
    "resources/read": read_resource,
    "resources/subscribe": subscribe,
    "resources/templates/list": lister(TEMPLATE),
    "resources/unsubscribe": unsubscribe,
    "server/discover": discover,
    "subscriptions/listen": listen,
    "tasks/cancel": tasks.ask,
    "tasks/get": tasks.ask,
    "tasks/update": tasks.ask,
    "tools/call": call_tool,
    "tools/list": lister("tools"),
}
