"""Tokens from an address with too many failures: their signatures are verified in turn, in a bounded share of the time.

Nothing tells a good token from a forged one before its signature is verified, so whoever shares an address with a flood
is not refused but waits: addresses take turns, and within one the first who came is first. A connection has one request
at a time, so what waits is bounded by the connections of an address; what a worker spends on it, by SHARE.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.features.ratelimit.errors import ADDRESS_LIMITED
from mcp_platform.gateway.outlet import Exchange
from mcp_platform.net.peer import counted_as

SHARE = 0.2
"""Of a worker's time. One Ed25519 signature takes some 0.13 ms, so that is 1,500 in a second; and all 1,024 connections
that one address may have (http.max_connections_per_address) have had their turn within 0.7 seconds."""
MAX_AT_ONCE_S = 0.005
"""Seconds that are spent on them in one go: other requests wait meanwhile."""
PAUSE_S = 0.002
MAX_WAIT_S = 10.0
"""Seconds. Reached only where a worker has no time at all, or many addresses flood it together."""
MAX_WAITING_BYTES = 32 << 20
"""Bytes of bodies that wait in one worker: eight of the largest, or 1,024 of 32 KiB. Above, the largest goes."""
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Waiting:
    """One request."""

    run: Callable[[], None]
    """Verifies, and hands over what came of it."""
    refuse: Callable[[], None]
    body_bytes: int


class Turns:
    """Those who wait in one worker."""

    def __init__(self) -> None:
        self._queues: dict[bytes, dict[_Waiting, None]] = {}
        """By address, in the order in which addresses, and those of one address, have their turn."""
        self._bytes = 0
        self._left_s = MAX_AT_ONCE_S
        """Seconds that may be spent now."""
        self._counted_at = clock.monotonic()
        self._serving: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Requests."""
        return sum(map(len, self._queues.values()))

    async def take(self, exchange: Exchange, work: Callable[[], T]) -> T:
        """What `work` gives or raises, once it is the turn of `exchange`. Raises Fault(address_limited) where that
        takes too long, the client has left, or its body is the largest of too many."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        waiting = _Waiting(lambda: _settle(done, work), lambda: _refuse(done), len(exchange.body))
        address = counted_as(exchange.address) or b""
        self._join(address, waiting)
        exchange.on_gone(waiting.refuse)
        if self._serving is None:
            self._serving = loop.create_task(self._serve(), name="signatures-in-turn")
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                return await done
        except TimeoutError:
            raise _refusal() from None
        finally:
            self._leave(address, waiting)

    def _join(self, address: bytes, waiting: _Waiting) -> None:
        self._queues.setdefault(address, {})[waiting] = None
        self._bytes += waiting.body_bytes
        while self._bytes > MAX_WAITING_BYTES:
            bodies = ((each.body_bytes, at, each) for at, queue in self._queues.items() for each in queue)
            _, at, largest = max(bodies, key=lambda found: found[0])
            self._leave(at, largest)
            largest.refuse()

    def _leave(self, address: bytes, waiting: _Waiting) -> None:
        queue = self._queues.get(address)
        if queue is None or waiting not in queue:
            return
        del queue[waiting]
        self._bytes -= waiting.body_bytes
        if not queue:
            del self._queues[address]

    async def _serve(self) -> None:
        """Lives as long as somebody waits."""
        try:
            while self._queues:
                now = clock.monotonic()
                self._left_s = min(MAX_AT_ONCE_S, self._left_s + (now - self._counted_at) * SHARE)
                self._counted_at = now
                while self._queues and self._left_s > 0:
                    self._next()
                    before, now = now, clock.monotonic()
                    self._left_s -= now - before
                if self._queues:
                    await asyncio.sleep(PAUSE_S)
        finally:
            self._serving = None

    def _next(self) -> None:
        """One of the address whose turn it is, which then goes behind the others."""
        address = next(iter(self._queues))
        queue = self._queues.pop(address)
        waiting = next(iter(queue))
        del queue[waiting]
        self._bytes -= waiting.body_bytes
        if queue:
            self._queues[address] = queue
        waiting.run()


def _settle(done: asyncio.Future[T], work: Callable[[], T]) -> None:
    if done.done():
        return  # it left, or its time is over
    try:
        done.set_result(work())
    except Exception as error:  # whoever waits acts on it
        done.set_exception(error)


def _refuse(done: asyncio.Future[T]) -> None:
    if not done.done():
        done.set_exception(_refusal())


def _refusal() -> Fault:
    return Fault(ADDRESS_LIMITED, retry_after_s=1.0)
