"""An event stream to a legacy client that outlives its connection.

What was sent is kept for a while. A client that comes back with the id of the last event it saw gets what it missed of
this stream and then the rest (2025-03-26 and later, basic/transports, Resumability).
"""

import asyncio
from collections import deque
from collections.abc import Callable

from mcp_platform.base import clock
from mcp_platform.gateway.answers import EVENTS, STREAM_HEADERS
from mcp_platform.gateway.exchange import KEEP_ALIVE_S, MAX_WAITING_BYTES, Exchange
from mcp_platform.wire import sse

MAX_EVENTS = 512
"""Events of one stream that are kept."""
MAX_BYTES = 1 << 20
"""Bytes of one stream that are kept beside its last event, which is always: it may be the answer of a call."""
RETRY_MS = 1000
"""Milliseconds that clients of 2025-11-25 are told to wait before they come back."""


class ClientStream:
    """One stream: at most one connection at a time, none for a while."""

    def __init__(
        self,
        name: str,
        principal: str,
        session: bytes,
        *,
        answers: bool,
        primes: bool,
        grown: "Callable[[ClientStream, int], None]",
    ) -> None:
        """`name` begins the id of every event; where it is empty, events have none. `primes`: each connection begins
        with an event that has an id and nothing else (2025-11-25). `grown` is told of bytes that are kept more, or
        less."""
        self.name = name
        self.principal = principal
        self.session = session
        self.answers = answers
        """Whether it belongs to a request, whose answer ends it."""
        self.done = False
        """Nothing follows."""
        self.left_at: float | None = clock.monotonic()
        """Since when nobody is connected or, once it is done, since then; None while it goes on with somebody."""
        self.primes = primes
        self._grown = grown
        self._kept: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._keeps = True
        self._last = 0
        """Number of the last event."""
        self._exchange: Exchange | None = None
        self._over: asyncio.Future[None] | None = None
        self._spoke_at = clock.monotonic()

    @property
    def connected(self) -> bool:
        return self._exchange is not None

    def attach(self, exchange: Exchange, after: int = 0) -> "asyncio.Future[None]":
        """Go on over `exchange` behind event number `after`, and no more over any other. The future is done when this
        connection has ended, one way or the other."""
        self._detach()
        over = self._over = asyncio.get_running_loop().create_future()
        self._exchange, self.left_at = exchange, None
        exchange.start(200, EVENTS, STREAM_HEADERS)
        if self.primes:
            exchange.write(sse.encode(b"", identity=f"{self.name}.{after}", retry_ms=RETRY_MS))
        else:
            exchange.write(b": open\n\n")
        for number, event in self._kept:
            if number > after:
                exchange.write(event)
        self._spoke_at = clock.monotonic()
        if self.done:
            self._detach()
        else:
            exchange.on_gone(lambda: self.leave(exchange))
        return over

    def send(self, message: bytes) -> None:
        """One message: over the connection there is, and kept for the next one."""
        if self.done:
            return
        self._last += 1
        event = sse.encode(message, identity=f"{self.name}.{self._last}" if self.name else None)
        if self._keeps:
            self._keep(event)
        exchange = self._exchange
        if exchange is None:
            return
        if exchange.waiting_bytes > MAX_WAITING_BYTES:  # it may come back for what it did not read
            self._detach()
            return
        self._spoke_at = clock.monotonic()
        exchange.write(event)

    def leave(self, exchange: Exchange) -> None:
        """End this connection, if it is the one there is; the stream may go on over another."""
        if self._exchange is exchange:
            self._detach()

    def finish(self, message: bytes | None = None) -> None:
        """End the stream, with `message` as its last."""
        if self.done:
            return
        if message is not None:
            self.send(message)
        self.done = True
        self._detach()
        self.left_at = clock.monotonic()

    def keep_alive_if_due(self, now: float) -> None:
        """Show client and proxies that the connection still is one. `now`: monotonic seconds."""
        if self._exchange is not None and now - self._spoke_at >= KEEP_ALIVE_S:
            self._spoke_at = now
            self._exchange.write(b": keep-alive\n\n")

    def forget(self) -> None:
        """Keep nothing of what was sent, nor of what comes."""
        self._keeps = False
        self._kept.clear()
        self._count(-self._size)

    def _keep(self, event: bytes) -> None:
        self._kept.append((self._last, event))
        self._count(len(event))
        while len(self._kept) > 1 and (len(self._kept) > MAX_EVENTS or self._size - len(event) > MAX_BYTES):
            self._count(-len(self._kept.popleft()[1]))

    def _count(self, size: int) -> None:
        self._size += size
        self._grown(self, size)

    def _detach(self) -> None:
        """End the connection there is; the stream may go on."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self.left_at = clock.monotonic()
            if not exchange.gone:
                exchange.end()
        if self._over is not None and not self._over.done():
            self._over.set_result(None)
