"""One answer of an upstream as it arrives: head, then body, whole or in pieces, with back-pressure.

Filled by the connection, emptied by whoever asked. It never decodes and never follows.
"""

import asyncio
from collections import deque
from functools import lru_cache
from typing import Protocol

from mcp_platform.base.errors import Fault
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_LOST, UPSTREAM_TOO_LARGE

HIGH_WATER_BYTES = 256 * 1024
"""Bytes that may wait for a slow reader before the connection is no longer read. uvloop reads as much at once."""
LINGER_S = 0.5
"""Seconds an answered event stream may take to end by itself, so that its connection can be used again."""
MAX_LINGER_BYTES = 65536
"""Bytes that may still come on an event stream after its answer: a last comment, the end of the chunks."""


class Wire(Protocol):
    """The connection under an exchange."""

    def send(self, exchange: "Exchange", data: bytes) -> None: ...

    def abandon(self) -> None:
        """Close at once; nothing of this exchange may reach the next."""

    def hold(self) -> None:
        """Stop reading."""

    def go_on(self) -> None:
        """Read again."""


class Exchange:
    """One request and its answer. Whoever opened it closes it, also after an error."""

    __slots__ = (
        "_chunks",
        "_done",
        "_fault",
        "_held",
        "_lingering",
        "_waiter",
        "_waiting_bytes",
        "_wire",
        "headers",
        "status",
    )

    def __init__(self, wire: Wire) -> None:
        self._wire: Wire | None = wire
        self.status = 0
        self.headers: dict[str, str] = {}
        """Lower-case names; repeated ones joined by `, ` (RFC 9110 §5.3)."""
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._done = False
        self._held = False
        self._lingering = False
        self._fault: Fault | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case; empty where there is none."""
        return _media_type(self.headers.get("content-type", ""))

    def send(self, head: bytes, body: bytes) -> None:
        """Send the request. `head`: request line and headers, each line ended, made by `client_head`."""
        assert self._wire is not None, "an exchange is sent once, before it is closed"
        self._wire.send(self, b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))

    async def head(self) -> None:
        """Wait for status and headers. Raises Fault(upstream_*)."""
        while not self.status:
            await self._wait()

    async def next(self) -> bytes:
        """The next piece of the body; empty at its end. Raises Fault(upstream_*)."""
        while not self._chunks:
            if self._done:
                return b""
            await self._wait()
        piece = self._chunks.popleft()
        self._waiting_bytes -= len(piece)
        if self._held and self._waiting_bytes < HIGH_WATER_BYTES // 2 and self._wire is not None:
            self._held = False
            self._wire.go_on()
        return piece

    async def read(self, max_bytes: int) -> bytes:
        """The whole body. Raises Fault(upstream_*), upstream_too_large above `max_bytes`."""
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced[:20]) > max_bytes:
            raise Fault(UPSTREAM_TOO_LARGE, data={"max_bytes": max_bytes})
        if self._done and len(self._chunks) == 1 and len(self._chunks[0]) <= max_bytes:
            return self._chunks.popleft()
        pieces: list[bytes] = []
        size = 0
        while piece := await self.next():
            size += len(piece)
            if size > max_bytes:
                raise Fault(UPSTREAM_TOO_LARGE, data={"max_bytes": max_bytes})
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Let go: a finished exchange has given its connection back already, an unfinished one closes it."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.abandon()

    def linger(self) -> None:
        """Let go of a stream whose answer came, but give it a moment to end: a new connection costs more."""
        if self._wire is None:
            return
        self._lingering = True
        self._chunks.clear()
        self._waiting_bytes = 0
        if self._held:
            self._held = False
            self._wire.go_on()
        asyncio.get_running_loop().call_later(LINGER_S, self.close)

    def abort(self, fault: Fault) -> None:
        """End the exchange from outside (a deadline): whoever waits gets `fault`."""
        self.failed(fault)
        self.close()

    # What the connection reports.

    @property
    def held(self) -> bool:
        """Whether the connection was told to stop reading and not yet to go on."""
        return self._held

    def got_head(self, status: int, headers: dict[str, str]) -> None:
        self.headers = headers
        self.status = status
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            text = "The MCP server behind this tool sent a compressed answer, which was not asked for."
            self.failed(Fault(UPSTREAM_GARBAGE, text, {"stage": "http"}))

    def got_body(self, piece: bytes) -> None:
        self._waiting_bytes += len(piece)
        if self._lingering:
            if self._waiting_bytes > MAX_LINGER_BYTES:
                self.failed(Fault(UPSTREAM_TOO_LARGE))
                self.close()
            return
        self._chunks.append(piece)
        if self._waiting_bytes > HIGH_WATER_BYTES and not self._held and self._wire is not None:
            self._held = True
            self._wire.hold()

    def finished(self) -> None:
        """The answer is complete, and the connection no longer ours."""
        self._done = True
        self._wire = None

    def lost(self) -> None:
        """The connection ended before the answer did."""
        self.failed(Fault(UPSTREAM_LOST))
        self._wire = None

    def failed(self, fault: Fault) -> None:
        if not self._done and self._fault is None:
            self._fault = fault
            self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._fault is not None:
            raise self._fault


@lru_cache(maxsize=256)
def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()
