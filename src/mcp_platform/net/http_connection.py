"""One connection: requests in order to the application, its answers out, and every time-out kept.

One request is handled at a time; what the client sends meanwhile waits, bounded. Each state either has a deadline or
belongs to a handler. A client that closes its sending side has left (RFC 9112 §9.6 lets a server close then).
"""

import asyncio
import enum
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.net import errors
from mcp_platform.net.http_answer import ALLOW, CLOSE, KEEP_OLD, WITHOUT_LENGTH
from mcp_platform.net.http_ceilings import LINGER_S, MAX_AHEAD_BYTES, MAX_BURST, MAX_HELD_BYTES, MAX_LINGER_BYTES
from mcp_platform.net.http_exchange import Exchange
from mcp_platform.net.http_head import Head
from mcp_platform.net.http_request import RequestReader

if TYPE_CHECKING:
    from mcp_platform.net.server import HttpServer

_log = Log(__name__)
_NEVER = float("inf")
_JOIN_BYTES = 65536
"""Bytes of body up to which head and body are copied into one piece; above, two pieces go out in one writev."""


class State(enum.IntEnum):
    """Where a connection is. From LINGERING on, what comes in is thrown away."""

    JOINING = -1
    IDLE = 0
    HEAD = 1
    BODY = 2
    HANDLING = 3
    LINGERING = 4
    CLOSING = 5


_JOINING, _IDLE, _HEAD, _BODY, _HANDLING, _LINGERING, _CLOSING = State


class Connection(asyncio.Protocol):
    """The protocol of one accepted socket."""

    __slots__ = (
        "_exchange", "_head", "_held", "_lingered", "_read_paused", "_reader", "_server", "_stalled_at",
        "_stalled_bytes", "_task", "_transport", "_waiters", "address", "deadline", "slow", "state",
    )  # fmt: skip

    def __init__(self, server: "HttpServer", address: str) -> None:
        self._server = server
        self.address = address
        self.state = _JOINING
        self.deadline = server.now() + server.ceilings.header_timeout_s
        """On the loop's clock. Whoever connects and says nothing has as long as for headers."""
        self.slow = False
        """The reader does not take what we write."""
        self._transport: asyncio.Transport
        self._reader = RequestReader(server.ceilings)
        self._head: Head | None = None
        """The request whose body is being read."""
        self._held = 0
        self._exchange: Exchange | None = None
        """The request that is being handled."""
        self._task: asyncio.Task[None] | None = None
        self._read_paused = False
        self._waiters: list[asyncio.Future[None]] = []
        self._stalled_at = 0.0
        self._stalled_bytes = 0
        self._lingered = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes written that the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from asyncio's
        self.state = _IDLE
        if self._server.draining:
            self.close()

    def data_received(self, data: bytes) -> None:
        state = self.state
        if state >= _LINGERING:
            self._lingered += len(data)
            if self._lingered > MAX_LINGER_BYTES:
                self.abort()
            return
        reader = self._reader
        reader.buffer = reader.buffer + data if reader.buffer else data
        if state is _HANDLING or self.slow:
            if len(reader.buffer) > MAX_AHEAD_BYTES and not self._read_paused:
                self._read_paused = True
                self._transport.pause_reading()
            return
        self._advance()

    def eof_received(self) -> None:
        """Returning None lets the transport close: it flushes what is written, which has a bound, too."""
        self.deadline = min(self.deadline, self._server.now() + self._server.ceilings.write_timeout_s)

    def pause_writing(self) -> None:
        self.slow = True
        self._stalled_at = self._server.now()
        self._stalled_bytes = self._transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        self.slow = False
        self._wake_writers()
        if self.state < _HANDLING:
            self._read_on()
            if self._reader.buffer:
                self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self.state = _CLOSING
        self.slow = False
        self._wake_writers()
        self._hold(0)
        self._reader.forget()
        self._server.lost(self)
        if self._exchange is not None:
            self._exchange.left()

    # Reading.

    def _advance(self) -> None:
        """Handle what the buffer holds, a bounded number of requests at a time."""
        try:
            for _ in range(MAX_BURST):
                if self.state >= _HANDLING or self.slow or not self._next_request():
                    return
                if not self._reader.buffer:
                    return
        except Fault as fault:
            self.refuse(fault)
            return
        self._server.loop.call_soon(self._advance)

    def _next_request(self) -> bool:
        """True when a request was taken and answered, so that another may follow."""
        head = self._head
        if head is None:
            head = self._reader.take_head()
            if head is None:
                if self.state is _IDLE and self._reader.buffer:
                    self.state = _HEAD
                    self.deadline = self._server.now() + self._server.ceilings.header_timeout_s
                return False
            self._head = head
            app = self._server.app
            fault = app.early(head.method, head.path, head.headers, self.address)
            if fault is not None:
                return self._refuse_early(head, fault)
            self._reader.begin_body(head, min(app.max_body(head.path), self._server.ceilings.max_body_bytes))
        body = self._reader.take_body()
        if body is None:
            self._wait_for_body(head)
            return False
        if self._held:
            self._hold(0)
        self._head = None
        return self._dispatch(head, body)

    def _wait_for_body(self, head: Head) -> None:
        if self.state is not _BODY:
            self.state = _BODY
            self.deadline = self._server.now() + self._server.ceilings.body_timeout_s
            if head.expects and not self._reader.held:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._hold(self._reader.held)
        if self._server.held > MAX_HELD_BYTES:
            raise Fault(errors.HTTP_BUSY, retry_after_s=1.0)

    def _hold(self, held: int) -> None:
        self._server.held += held - self._held
        self._held = held

    def _refuse_early(self, head: Head, fault: Fault) -> bool:
        """A request without a body leaves the connection usable; a body that nobody wants ends it."""
        if head.length or head.chunked or not head.keep_alive or self._server.draining:
            raise fault
        self._head = None
        status, extra, body = self._server.app.refuse(fault)
        text = b"" if head.method == "HEAD" else body
        self._write_answer(status, text, len(body), "application/json", extra + KEEP_OLD if head.old else extra)
        self._rest()
        return True

    # Handling.

    def _dispatch(self, head: Head, body: bytes) -> bool:
        server = self._server
        exchange = Exchange(self, head, body, self.address, server.name)
        self._exchange = exchange
        self.state = _HANDLING
        self.deadline = _NEVER
        try:
            work = server.app.handle(exchange)
        except Exception as error:  # the root of a request: whatever it raised must be answered
            self._failed(error)
        else:
            if work is not None:
                self._start(work)
                return False
        return self._settle()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._server.loop.create_task(work)
        self._task = task
        self._server.tasks.add(task)
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._server.tasks.discard(task)
        self._task = None
        if task.cancelled():
            self.abort()
        elif (error := task.exception()) is not None:
            self._failed(error)
        if self._settle() and self._reader.buffer:
            self._advance()

    def _failed(self, error: BaseException) -> None:
        """The handler raised. A Fault is an answer; everything else is our mistake and goes to the log."""
        exchange = self._exchange
        assert exchange is not None, "what fails is being handled"
        if not isinstance(error, Fault):
            _log.error("request_failed", exc=error, method=exchange.method, listener=exchange.listener)
        if exchange.started or exchange.gone:
            return
        status, extra, body = self._server.app.refuse(error if isinstance(error, Fault) else Fault(INTERNAL))
        exchange.reply(status, body, extra=extra)

    def _settle(self) -> bool:
        """The handler has returned. True when the next request may come."""
        exchange = self._exchange
        assert exchange is not None, "what is settled was handled"
        self._exchange = None
        if exchange.gone or self.state is _CLOSING:
            return False
        if not exchange.finished:
            _log.error("request_unanswered", method=exchange.method, listener=exchange.listener)
            if exchange.started:
                self.abort()  # a cut stream must not look like a whole one
            else:
                self.refuse(Fault(INTERNAL))
            return False
        if not exchange.keep_alive or self._server.draining:
            self.close()
            return False
        self._rest()
        return True

    def _rest(self) -> None:
        """Wait for the next request."""
        self.state = _IDLE
        self.deadline = self._server.now() + self._server.ceilings.idle_timeout_s
        self._read_on()

    def _read_on(self) -> None:
        if self._read_paused:
            self._read_paused = False
            self._transport.resume_reading()

    # Writing.

    def answer(self, exchange: Exchange, status: int, body: bytes, content_type: str, extra: bytes) -> None:
        """For the exchange: a whole answer."""
        if exchange.gone:
            return
        if self._server.draining:
            exchange.keep_alive = False
        length = len(body)
        if exchange.method == "HEAD":
            body = b""
        connection = (KEEP_OLD if exchange.old else b"") if exchange.keep_alive else CLOSE
        self._write_answer(status, body, length, content_type, extra + connection)

    def _write_answer(self, status: int, body: bytes, length: int, content_type: str, extra: bytes) -> None:
        head = self._server.heads.head(status, content_type)
        if status in WITHOUT_LENGTH:
            self._transport.write(b"%b%b\r\n" % (head, extra))
        elif len(body) <= _JOIN_BYTES:
            self._transport.write(b"%bContent-Length: %d\r\n%b\r\n%b" % (head, length, extra, body))
        else:
            self._transport.writelines([b"%bContent-Length: %d\r\n%b\r\n" % (head, length, extra), body])

    def begin_stream(self, exchange: Exchange, status: int, content_type: str, extra: bytes) -> None:
        """For the exchange: the head of an answer in parts. HTTP/1.0 knows no chunks, so there the end is the close."""
        assert status not in WITHOUT_LENGTH, "this status has no body"
        if exchange.gone:
            return
        if exchange.old or self._server.draining:
            exchange.keep_alive = False
        head = self._server.heads.head(status, content_type)
        framing = b"" if exchange.old else b"Transfer-Encoding: chunked\r\n"
        connection = b"" if exchange.keep_alive else CLOSE
        self._transport.write(b"%b%b%b%b\r\n" % (head, framing, connection, extra))

    def stream(self, exchange: Exchange, data: bytes) -> None:
        """For the exchange: one part."""
        if exchange.method != "HEAD":
            self._transport.write(data if exchange.old else b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self, exchange: Exchange) -> None:
        """For the exchange: no more parts."""
        if not exchange.gone and not exchange.old and exchange.method != "HEAD":
            self._transport.write(b"0\r\n\r\n")

    async def writable(self) -> None:
        """Return when the reader has caught up, or is gone."""
        while self.slow:
            waiter = self._server.loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def _wake_writers(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # Ending.

    def refuse(self, fault: Fault) -> None:
        """Say why, then close in a way that lets the client read it."""
        status, extra, body = self._server.app.refuse(fault)
        if fault.kind is errors.HTTP_METHOD:
            extra += ALLOW
        text = b"" if self._head is not None and self._head.method == "HEAD" else body
        self._write_answer(status, text, len(body), "application/json", extra + CLOSE)
        self._linger()

    def close(self) -> None:
        """Close after what is written has gone out."""
        if self._reader.buffer:
            self._linger()
        elif self.state not in (_JOINING, _CLOSING):
            self.state = _CLOSING
            self.deadline = self._server.now() + self._server.ceilings.write_timeout_s
            self._transport.close()

    def _linger(self) -> None:
        """Stop sending, and throw away for a while what still comes: closing now would reset the answer away."""
        self.state = _LINGERING
        self.deadline = self._server.now() + LINGER_S
        self._hold(0)
        self._reader.forget()
        self._read_on()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def abort(self) -> None:
        """Cut now."""
        if self.state is not _JOINING:
            self.state = _CLOSING
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """For the server's clock: keep the time-outs of this connection."""
        if self.slow:
            waiting = self._transport.get_write_buffer_size()
            if waiting < self._stalled_bytes:
                self._stalled_at = now
            elif now - self._stalled_at >= self._server.ceilings.write_timeout_s:
                self.abort()
                return
            self._stalled_bytes = waiting
        if now < self.deadline:
            return
        if self.state in (_HEAD, _BODY):
            self.refuse(Fault(errors.HTTP_TIMEOUT))
        elif self.state is _IDLE:
            self.close()
        else:
            self.abort()
