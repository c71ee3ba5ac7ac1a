"""The writing half of a connection: answers in one write, streams in chunks, and whether the reader takes them."""

import asyncio
import fcntl
import sys
import termios

from mcp_platform.net.http_answer import CLOSE, KEEP_OLD, WITHOUT_LENGTH
from mcp_platform.net.http_exchange import Exchange
from mcp_platform.net.http_surface import Surface

_JOIN_BYTES = 65536
"""Bytes of body up to which head and body are copied into one piece; above, two pieces go out in one writev."""


class Output:
    """Writes to one transport for one exchange after the other."""

    __slots__ = ("_stalled_at", "_stalled_bytes", "_surface", "_transport", "_waiters", "_write", "slow")

    def __init__(self, surface: Surface, transport: asyncio.Transport) -> None:
        self.slow = False
        """The reader does not take what we write; the transport's buffer is above its high-water mark (64 KiB)."""
        self._surface = surface
        self._transport = transport
        self._write = transport.write
        self._waiters: list[asyncio.Future[None]] = []
        self._stalled_at = 0.0
        self._stalled_bytes = 0

    def answer(self, exchange: Exchange, status: int, body: bytes, content_type: str, extra: bytes) -> None:
        """Send a whole answer."""
        if exchange.gone:
            return
        extra += exchange.also
        if self._surface.draining:
            exchange.keep_alive = False
        if not exchange.keep_alive:
            extra += CLOSE
        elif exchange.old:
            extra += KEEP_OLD
        self.send(status, body, content_type, extra, bodiless=exchange.method == "HEAD")

    def send(self, status: int, body: bytes, content_type: str, extra: bytes, *, bodiless: bool) -> None:
        """Send a whole answer that needs no exchange. `bodiless`: to HEAD, which gets the length alone."""
        head = self._surface.heads.head(status, content_type)
        if status in WITHOUT_LENGTH:
            self._write(b"%b%b\r\n" % (head, extra))
        elif bodiless:
            self._write(b"%bContent-Length: %d\r\n%b\r\n" % (head, len(body), extra))
        elif len(body) <= _JOIN_BYTES:
            self._write(b"%bContent-Length: %d\r\n%b\r\n%b" % (head, len(body), extra, body))
        else:
            self._transport.writelines([b"%bContent-Length: %d\r\n%b\r\n" % (head, len(body), extra), body])

    def begin_stream(self, exchange: Exchange, status: int, content_type: str, extra: bytes) -> None:
        """Send the head of an answer in parts. HTTP/1.0 knows no chunks, so there the end is the close."""
        assert status not in WITHOUT_LENGTH, "this status has no body"
        if exchange.gone:
            return
        if exchange.old or self._surface.draining:
            exchange.keep_alive = False
        head = self._surface.heads.head(status, content_type)
        framing = b"" if exchange.old else b"Transfer-Encoding: chunked\r\n"
        close = b"" if exchange.keep_alive else CLOSE
        self._write(b"%b%b%b%b%b\r\n" % (head, framing, close, exchange.also, extra))

    def stream(self, exchange: Exchange, data: bytes) -> None:
        """Send one part that is not empty."""
        if exchange.method != "HEAD" and not exchange.gone:
            self._write(data if exchange.old else b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self, exchange: Exchange) -> None:
        """Say that no part follows."""
        if not exchange.gone and not exchange.old and exchange.method != "HEAD":
            self._write(b"0\r\n\r\n")

    def pause(self) -> None:
        """The transport's buffer is full."""
        self.slow = True
        self._stalled_at = self._surface.now()
        self._stalled_bytes = self._unsent()

    def resume(self) -> None:
        """There is room again, or nobody to write to any more."""
        self.slow = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def writable(self) -> None:
        """Return when the reader has caught up, or is gone."""
        while self.slow:
            waiter = self._surface.loop.create_future()
            self._waiters.append(waiter)
            await waiter

    @property
    def waiting_bytes(self) -> int:
        """Bytes written that the kernel has not taken yet."""
        return self._transport.get_write_buffer_size()

    def is_stalled(self, now: float) -> bool:
        """Whether a slow reader has taken nothing for write_timeout_s. Call it some times within that."""
        unsent = self._unsent()
        if unsent < self._stalled_bytes:
            self._stalled_at = now
        self._stalled_bytes = unsent
        return now - self._stalled_at >= self._surface.ceilings.write_timeout_s

    def _unsent(self) -> int:
        """Bytes that wait here and in the kernel. The kernel asks for more only when a third of its buffer (MBs) is
        free, so ours alone would take a reader of 10 KB/s for one that takes nothing."""
        queued = fcntl.ioctl(self._transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, b"\0" * 4)
        return self._transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)
