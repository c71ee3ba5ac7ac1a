"""Reading an interrupted event stream on, by GET with `Last-Event-ID` (2025-03-26 … 2025-11-25).

A server may close the stream of a call before its answer, to be asked again after `retry:`, and connections break.
Nothing is sent a second time: where the stream cannot be read on, the call is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mcp_platform.base.errors import Fault
from mcp_platform.net import client_head
from mcp_platform.net.client_exchange import Exchange
from mcp_platform.net.transports.conversation import Conversation
from mcp_platform.net.transports.deadline import Deadline
from mcp_platform.net.transports.era import LEGACY
from mcp_platform.net.transports.http_reply import Interrupted, read_reply
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN, UPSTREAM_LOST, UPSTREAM_TIMEOUT, UPSTREAM_TOO_LARGE

RETRY_S = 1.0
"""Seconds before a stream is opened again where its server named none; the official SDKs' clients wait as long."""
MIN_RETRY_S = 0.01
MAX_RETRY_S = 30.0
"""Bounds of what a server may name: no busy loop, and no call that waits for nothing."""
MAX_RESUMES = 1000
"""Times one call's stream is opened again."""
MAX_FAILURES = 3
"""Times in a row that it cannot be, or brings nothing new."""
MAX_EVENT_ID = 1024
"""Characters of an event id, which goes back in a header."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The call whose answer is awaited."""

    identity: int
    conversation: Conversation
    deadline: Deadline
    most: int
    batches: bool


def retry_s(retry_ms: int | None) -> float:
    """How long to leave a server alone."""
    return RETRY_S if retry_ms is None else min(MAX_RETRY_S, max(MIN_RETRY_S, retry_ms / 1000))


def last_event_line(last_id: str) -> bytes:
    """The header. Raises Fault(upstream_lost) where the id is none that can be sent back."""
    if len(last_id) > MAX_EVENT_ID:
        raise Fault(UPSTREAM_LOST)
    try:
        return client_head.line("last-event-id", last_id)
    except Fault:
        raise Fault(UPSTREAM_LOST) from None


async def read_on(
    broken: Interrupted,
    reading: Reading,
    head: Callable[[str], Awaitable[bytes]],
    connect: Callable[[], Awaitable[Exchange]],
) -> Answer:
    """The answer, however often its stream is interrupted. Raises Fault(upstream_*)."""
    failures = 0
    retry_ms = broken.retry_ms
    last_id = broken.last_id
    for _ in range(MAX_RESUMES):
        await _pause(retry_s(retry_ms), reading.deadline)
        try:
            return await _once(last_id, reading, head, connect)
        except Interrupted as again:
            failures = 0 if again.last_id != last_id else failures + 1
            last_id = again.last_id
            retry_ms = retry_ms if again.retry_ms is None else again.retry_ms
        except Fault as fault:
            if fault.kind in (UPSTREAM_TIMEOUT, UPSTREAM_TOO_LARGE):
                raise
            # A server that is restarting may come back; one that answers anything else has forgotten the stream.
            failures = failures + 1 if fault.kind in (UPSTREAM_DOWN, UPSTREAM_LOST) else MAX_FAILURES
        if failures >= MAX_FAILURES:
            break
    raise Fault(UPSTREAM_LOST)


async def _once(
    last_id: str,
    reading: Reading,
    head: Callable[[str], Awaitable[bytes]],
    connect: Callable[[], Awaitable[Exchange]],
) -> Answer:
    exchange = await connect()
    reading.deadline.lead_to(exchange.abort)
    lingers = False
    try:
        exchange.send(await head(last_id), b"")
        answer = await read_reply(
            exchange,
            reading.identity,
            reading.conversation,
            reading.most,
            LEGACY,
            batches=reading.batches,
            last_id=last_id,
        )
        lingers = True
        return answer
    finally:
        if not lingers:
            exchange.close()


async def _pause(seconds: float, deadline: Deadline) -> None:
    """Raises the deadline's Fault when that comes first."""
    loop = asyncio.get_running_loop()
    pause: asyncio.Future[None] = loop.create_future()

    def end(fault: Fault | None) -> None:
        if pause.done():
            return
        if fault is None:
            pause.set_result(None)
        else:
            pause.set_exception(fault)

    deadline.lead_to(end)
    timer = loop.call_later(seconds, end, None)
    try:
        await pause
    finally:
        timer.cancel()
