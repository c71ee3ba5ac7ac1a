"""Finding out the era of a server behind a pipe, and shaking hands with a legacy one (2026-07-28, basic/versioning).

`server/discover` first; whatever is no clear sign of the modern era, silence included, is followed by `initialize`.
"""

import asyncio
from collections.abc import Callable

from mcp_platform.base.errors import Fault
from mcp_platform.net.transports import era, messages
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import UPSTREAM_LOST

PATIENCE_S = 3.0
"""Seconds `server/discover` may stay unanswered before `initialize` is sent as well: some legacy servers ignore what
they do not know, others only start slowly, and both are well served by asking twice."""

Ask = Callable[[Callable[[int], bytes]], "asyncio.Future[Answer]"]
"""Sends a request that is made for the id it gets."""


async def agree(
    ask: Ask, write: Callable[[bytes], None], capabilities: bytes, client_info: bytes | None, known: str | None
) -> Found:
    """`known`: the era seen before, if any. Raises Fault(upstream_*); whoever calls this bounds it."""
    discover: asyncio.Future[Answer] | None = None
    if known != era.LEGACY:
        discover = ask(messages.discover)
        await asyncio.wait([discover], timeout=PATIENCE_S)
        if discover.done():
            found = _of_discover(discover)
            if found is not None:
                return found
            discover = None
    initialize = ask(lambda identity: messages.initialize(identity, capabilities, client_info))
    if discover is not None:
        found = await _late_discover(discover, initialize)
        if found is not None:
            return found
    found = era.of_initialize(await initialize)
    write(messages.notification("notifications/initialized"))
    return found


async def _late_discover(discover: "asyncio.Future[Answer]", initialize: "asyncio.Future[Answer]") -> Found | None:
    """Both were asked: a server that started slowly answers them in order, and the first one says its era."""
    await asyncio.wait([discover, initialize], return_when=asyncio.FIRST_COMPLETED)
    if initialize.done() and initialize.exception() is None and initialize.result().error is not None:
        await asyncio.wait([discover])
    return _of_discover(discover) if discover.done() else None


def _of_discover(discover: "asyncio.Future[Answer]") -> Found | None:
    """Raises Fault(upstream_lost) where the server ended; any other failure is no evidence of the modern era."""
    failure = discover.exception()
    if failure is None:
        return era.of_discover(discover.result())
    if isinstance(failure, Fault) and failure.kind is not UPSTREAM_LOST:
        return None
    raise failure
