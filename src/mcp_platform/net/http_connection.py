"""One connection: requests in order to the application, its answers out, and every time-out kept.

One request is handled at a time; what the client sends meanwhile waits, bounded. Each state either has a deadline or
belongs to a handler. A client that closes its sending side has left (RFC 9112 §9.6 lets a server close then).
"""

import asyncio
import enum
from collections.abc import Callable, Coroutine
from typing import Any, cast

from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.net import errors
from mcp_platform.net.http_answer import ALLOW, CLOSE, KEEP_OLD
from mcp_platform.net.http_ceilings import (
    LINGER_S,
    LINGER_SILENCE_S,
    MAX_AHEAD_BYTES,
    MAX_BURST,
    MAX_HELD_BYTES,
    MAX_LINGER_BYTES,
)
from mcp_platform.net.http_exchange import Exchange
from mcp_platform.net.http_head import Head
from mcp_platform.net.http_output import Output
from mcp_platform.net.http_request import RequestReader
from mcp_platform.net.http_surface import Surface

_log = Log(__name__)
_NEVER = float("inf")


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
        "_discarded", "_exchange", "_head", "_held", "_linger_until", "_on_lost", "_read_paused", "_reader",
        "_surface", "_task", "_transport", "address", "deadline", "output", "state",
    )  # fmt: skip

    def __init__(self, surface: Surface, address: str, on_lost: "Callable[[Connection], None]") -> None:
        self._surface = surface
        self.address = address
        self._on_lost = on_lost
        self.state = _JOINING
        self.deadline = surface.now() + surface.ceilings.header_timeout_s
        """On the loop's clock. Whoever connects and says nothing has as long as for headers."""
        self._transport: asyncio.Transport
        self.output: Output
        self._reader = RequestReader(surface.ceilings)
        self._head: Head | None = None
        """The request that is being read or judged."""
        self._held = 0
        self._exchange: Exchange | None = None
        """The request that is being handled."""
        self._task: asyncio.Task[None] | None = None
        self._read_paused = False
        self._discarded = 0
        self._linger_until = 0.0

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from asyncio's
        self.output = Output(self._surface, self._transport)
        self.state = _IDLE
        if self._surface.draining:
            self.close()

    def data_received(self, data: bytes) -> None:
        state = self.state
        if state >= _LINGERING:
            self._lingered(len(data))
            return
        reader = self._reader
        reader.buffer = reader.buffer + data if reader.buffer else data
        if state is _HANDLING or self.output.slow:
            if len(reader.buffer) > MAX_AHEAD_BYTES and not self._read_paused:
                self._read_paused = True
                self._transport.pause_reading()
            return
        self._advance()

    def eof_received(self) -> None:
        """Returning None lets the transport close: it flushes what is written, which has a bound, too."""
        self.deadline = min(self.deadline, self._surface.now() + self._surface.ceilings.write_timeout_s)

    def pause_writing(self) -> None:
        self.output.pause()

    def resume_writing(self) -> None:
        self.output.resume()
        if self.state < _HANDLING:
            self._read_on()
            if self._reader.buffer:
                self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self.state = _CLOSING
        self.output.resume()
        self._hold(0)
        self._reader.forget()
        self._on_lost(self)
        if self._exchange is not None:
            self._exchange.left()

    # Reading.

    def _advance(self) -> None:
        """Handle what the buffer holds, a bounded number of requests at a time."""
        try:
            for _ in range(MAX_BURST):
                if self.state >= _HANDLING or self.output.slow or not self._next_request():
                    return
                if not self._reader.buffer:
                    return
        except Fault as fault:
            self.refuse(fault)
            return
        self._surface.loop.call_soon(self._advance)

    def _next_request(self) -> bool:
        """True when a request was taken and answered, so that another may follow."""
        head = self._head
        if head is None:
            head = self._reader.take_head()
            if head is None:
                if self.state is _IDLE and self._reader.buffer:
                    self.state = _HEAD
                    self.deadline = self._surface.now() + self._surface.ceilings.header_timeout_s
                return False
            self._head = head
            app = self._surface.app
            fault = app.early(head.method, head.path, head.headers, self.address)
            if fault is not None:
                return self._refuse_early(head, fault)
            self._reader.begin_body(head, min(app.max_body(head.path), self._surface.ceilings.max_body_bytes))
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
            self.deadline = self._surface.now() + self._surface.ceilings.body_timeout_s
            if head.expects and not self._reader.held:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._hold(self._reader.held)
        if self._surface.held > MAX_HELD_BYTES:
            raise Fault(errors.HTTP_BUSY, retry_after_s=1.0)

    def _hold(self, held: int) -> None:
        self._surface.held += held - self._held
        self._held = held

    def _refuse_early(self, head: Head, fault: Fault) -> bool:
        """A request without a body leaves the connection usable; a body that nobody wants ends it."""
        if head.length or head.chunked or not head.keep_alive or self._surface.draining:
            raise fault
        status, extra, body = self._refusal(fault, self._client())
        extra += self._lines()
        extra += KEEP_OLD if head.old else b""
        self._head = None
        self.output.send(status, body, self._surface.refusal_type, extra, bodiless=head.method == "HEAD")
        self._rest()
        return True

    # Handling.

    def _dispatch(self, head: Head, body: bytes) -> bool:
        surface = self._surface
        lines = surface.app.lines(head.path, head.headers) if "origin" in head.headers else b""
        exchange = Exchange(self.output, head, body, self.address, surface.name, lines)
        self._exchange = exchange
        self.state = _HANDLING
        self.deadline = _NEVER
        try:
            work = surface.app.handle(exchange)
        except Exception as error:  # the root of a request: whatever it raised must be answered
            self._failed(error)
        else:
            if work is not None:
                self._start(work)
                return False
        return self._settle()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._surface.loop.create_task(work)
        self._task = task
        self._surface.tasks.add(task)
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._surface.tasks.discard(task)
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
        self._answer_fault(exchange, error if isinstance(error, Fault) else Fault(INTERNAL))

    def _answer_fault(self, exchange: Exchange, fault: Fault) -> None:
        status, extra, body = self._refusal(fault, exchange.address)
        exchange.reply(status, body, self._surface.refusal_type, extra)

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
                exchange.keep_alive = False
                self._answer_fault(exchange, Fault(INTERNAL))
                self.close()
            return False
        if not exchange.keep_alive or self._surface.draining:
            self.close()
            return False
        self._rest()
        return True

    def _rest(self) -> None:
        """Wait for the next request."""
        self.state = _IDLE
        self.deadline = self._surface.now() + self._surface.ceilings.idle_timeout_s
        self._read_on()

    def _read_on(self) -> None:
        if self._read_paused:
            self._read_paused = False
            self._transport.resume_reading()

    # Ending.

    def _refusal(self, fault: Fault, address: str) -> tuple[int, bytes, bytes]:
        """Status, header lines and body; whoever keeps records of refusals is told."""
        self._surface.refused(fault, address)
        return self._surface.app.refuse(fault)

    def _client(self) -> str:
        """Whose request is being read. Before its headers are whole nobody but the peer is known."""
        head = self._head
        return self.address if head is None else self._surface.client(self.address, head.headers)

    def _lines(self) -> bytes:
        """What the request that is being read has on any answer."""
        head = self._head
        if head is None or "origin" not in head.headers:
            return b""
        return self._surface.app.lines(head.path, head.headers)

    def refuse(self, fault: Fault) -> None:
        """Say why, then close in a way that lets the client read it."""
        status, extra, body = self._refusal(fault, self._client())
        extra += self._lines()
        if fault.kind is errors.HTTP_METHOD:
            extra += ALLOW
        bodiless = self._head is not None and self._head.method == "HEAD"
        self.output.send(status, body, self._surface.refusal_type, extra + CLOSE, bodiless=bodiless)
        self._linger()

    def close(self) -> None:
        """Close after what is written has gone out."""
        if self._reader.buffer:
            self._linger()
        elif self.state not in (_JOINING, _CLOSING):
            self.state = _CLOSING
            self.deadline = self._surface.now() + self._surface.ceilings.write_timeout_s
            self._transport.close()

    def _linger(self) -> None:
        """Stop sending, and throw away for a while what still comes: closing now would reset the answer away."""
        self.state = _LINGERING
        now = self._surface.now()
        self._linger_until = now + LINGER_S
        self.deadline = now + LINGER_SILENCE_S
        self._hold(0)
        self._reader.forget()
        self._read_on()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _lingered(self, length: int) -> None:
        """The sender still sends; it may for a while, because closing with its bytes unread would be a reset."""
        self._discarded += length
        self.deadline = min(self._linger_until, self._surface.now() + LINGER_SILENCE_S)
        if self._discarded > MAX_LINGER_BYTES:
            self.abort()

    def abort(self) -> None:
        """Cut now."""
        if self.state is not _JOINING:
            self.state = _CLOSING
            self._transport.abort()

    def is_due(self, now: float) -> bool:
        """Whether `sweep` would find something to do."""
        return self.state is not _JOINING and (now >= self.deadline or self.output.slow)

    def sweep(self, now: float) -> None:
        """For the server's clock: keep the time-outs of this connection."""
        if self.output.slow and self.output.is_stalled(now):
            self.abort()
            return
        if now < self.deadline:
            return
        if self.state in (_HEAD, _BODY):
            self.refuse(Fault(errors.HTTP_TIMEOUT))
        elif self.state is _IDLE:
            self.close()
        else:
            self.abort()
