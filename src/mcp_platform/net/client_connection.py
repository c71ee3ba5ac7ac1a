"""One HTTP/1.1 connection to an upstream, as a raw protocol. It carries one exchange at a time.

What comes in is sized by somebody else: every part has a ceiling, and whatever is out of place closes the connection.
"""

import asyncio
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

import httptools

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.net.client_exchange import Exchange
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_TOO_LARGE

_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""Streams stand open and may be silent for hours; a machine that vanished is found out in two minutes."""
_NOT_PLAIN = frozenset({"transfer-encoding", "content-encoding", "connection", "trailer", "upgrade"})
"""Headers of an answer that is more than a length and so many bytes."""


@dataclass(frozen=True, slots=True)
class ResponseCeilings:
    """Towards an upstream's HTTP. Bodies have their own ceiling, with each call."""

    max_head_bytes: int = 65536
    """Bytes of status line and headers, trailers included. Twice what we let clients send; servers set big cookies."""
    max_headers: int = 200
    """Header lines, trailers included."""
    max_barren_bytes: int = 65536
    """Bytes that may arrive without any of the body among them: chunk sizes, extensions, trailers."""
    max_interim: int = 8
    """Interim (1xx) answers before the real one (RFC 9110 §15.2 names no number)."""


class _Known(NamedTuple):
    """A head that was read, and with which an answer was whole."""

    head: bytes
    headers: dict[str, str]
    size: int
    """Bytes of head and body together."""


class Connection(asyncio.Protocol):
    """Between `connection_made` and `connection_lost` either idle in its pool or busy with one exchange."""

    def __init__(
        self,
        ceilings: ResponseCeilings,
        on_free: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self._ceilings = ceilings
        self._on_free = on_free
        self._on_lost = on_lost
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._poll = select.poll()
        self._fault: Fault | None = None
        self._secure = False
        self.idle_since = 0.0
        self._known: _Known | None = None
        """The head of the last plain answer. A server says the same in each of a second's, and what is the same byte
        for byte is read the same."""
        self._reset()

    def _reset(self) -> None:
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._lines = 0
        self._interim = 0
        self._barren = 0
        self._in_body = False
        self._to_end = False
        self._progress = False
        self._complete = False
        self._keep = False
        self._fresh = True

    # The pool's side.

    @property
    def usable(self) -> bool:
        """Whether a request may be written now: open, and nothing came or ended while it was idle."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        # TLS sends tickets at any time; there only the end of the stream says that the connection is stale.
        stale = select.POLLRDHUP | select.POLLHUP | select.POLLERR | (0 if self._secure else select.POLLIN)
        return not any(event & stale for _, event in self._poll.poll(0))

    def shut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # The exchange's side.

    def begin(self) -> Exchange:
        """Take the connection for one exchange."""
        assert self._exchange is None, "the pool gives out idle connections only"
        self._reset()
        self._exchange = Exchange(self)
        return self._exchange

    def send(self, exchange: Exchange, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            exchange.lost()
            return
        self._transport.write(data)

    def abandon(self) -> None:
        self._exchange = None
        self.shut()

    def hold(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._secure = transport.get_extra_info("sslcontext") is not None
        sock = transport.get_extra_info("socket")
        self._poll.register(sock.fileno(), select.POLLIN | select.POLLRDHUP)
        for level, option, value in _KEEP_ALIVE:
            sock.setsockopt(level, option, value)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            # Nobody asked: an answer that comes by itself would be taken for the next one's.
            self.shut()
            return
        fresh, self._fresh = self._fresh, False
        if fresh and self._take_known(exchange, data):
            return
        self._progress = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._garbage("an upgrade")
        except httptools.HttpParserError:
            self._garbage("malformed HTTP")
        if self._exchange is None:
            return
        self._measure(len(data))
        if self._fault is not None:
            exchange.failed(self._fault)
            self.abandon()
        elif self._complete:
            if fresh:
                self._learn(exchange, data)
            self._finish(exchange)
        exchange.wake()

    def _take_known(self, exchange: Exchange, data: bytes) -> bool:
        """Take an answer that came in one piece behind the head that is known."""
        known = self._known
        if known is None or len(data) != known.size or not data.startswith(known.head):
            return False
        exchange.got_head(200, known.headers)
        exchange.got_body(data[len(known.head) :])
        self._keep = True
        self._finish(exchange)
        exchange.wake()
        return True

    def _learn(self, exchange: Exchange, data: bytes) -> None:
        """Remember the head of an answer that came in one piece, where its length alone says where it ends."""
        length = self._headers.get("content-length", "")
        plain = self._headers.keys().isdisjoint(_NOT_PLAIN) and not self._interim
        if not (plain and exchange.status == 200 and self._keep and length.isdecimal()):
            return
        head = data[: len(data) - int(length)]
        if length != "0" and head.endswith(b"\r\n\r\n") and head.find(b"\r\n\r\n") == len(head) - 4:
            self._known = _Known(head, self._headers, len(data))

    def eof_received(self) -> bool | None:
        exchange = self._exchange
        if exchange is not None and self._in_body and self._to_end and not self._complete:
            # Neither length nor chunks: the end of the connection is the end of the body (RFC 9112 §6.3).
            self._exchange = None
            exchange.finished()
            exchange.wake()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.lost()
        self._on_lost(self)

    # httptools.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += 1
        self._head_bytes += len(name) + len(value) + 4
        if self._in_body or self._lines > self._ceilings.max_headers:
            return
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._interim += 1
            self._headers = {}
            return
        self._in_body = True
        self._to_end = "content-length" not in self._headers and "transfer-encoding" not in self._headers
        if self._exchange is not None:
            self._exchange.got_head(status, self._headers)

    def on_body(self, body: bytes) -> None:
        self._progress = True
        if self._exchange is not None and self._fault is None:
            self._exchange.got_body(body)

    def on_message_begin(self) -> None:
        if self._complete:
            self._garbage("more than one answer")

    def on_message_complete(self) -> None:
        if self._in_body:
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    # What is out of place.

    def _measure(self, arrived: int) -> None:
        ceilings = self._ceilings
        self._barren = 0 if self._progress else self._barren + arrived
        too_long = self._head_bytes > ceilings.max_head_bytes or self._lines > ceilings.max_headers
        endless = self._barren > ceilings.max_barren_bytes and not self._complete
        if too_long or endless or self._interim > ceilings.max_interim:
            text = "The MCP server behind this tool sent more HTTP headers than the ceiling."
            self._fault = Fault(UPSTREAM_TOO_LARGE, text, {"stage": "http"})

    def _garbage(self, what: str) -> None:
        text = f"The MCP server behind this tool sent {what} instead of an HTTP answer."
        self._fault = self._fault or Fault(UPSTREAM_GARBAGE, text, {"stage": "http"})

    def _finish(self, exchange: Exchange) -> None:
        self._exchange = None
        exchange.finished()
        transport = self._transport
        if transport is None or not self._keep or transport.get_write_buffer_size():
            self.shut()
            return
        if exchange.held:
            transport.resume_reading()
        self.idle_since = clock.monotonic()
        self._on_free(self)
