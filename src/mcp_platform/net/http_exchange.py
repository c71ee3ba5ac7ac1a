"""One request and its answer, as an application sees them; and what an application is to the server.

An answer is either one `reply`, or `start`, any number of `write` and one `end`. Once the client is gone, every one of
them does nothing, so that a handler need not ask before each.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from mcp_platform.base.errors import Fault
from mcp_platform.net.http_head import Head


class App(Protocol):
    """What serves the requests of one listener."""

    def early(self, method: str, path: str, headers: dict[str, str], address: str) -> Fault | None:
        """Judge a request at the end of its headers, before any byte of its body is kept."""

    def max_body(self, path: str) -> int:
        """Bytes of the largest body taken at `path`; the setting max_body_bytes holds above it."""

    def handle(self, exchange: "Exchange") -> Coroutine[Any, Any, None] | None:
        """Answer. An `async def` is right. A plain `def` may answer at once and return None, which saves a task, or
        return a coroutine for what has to wait. The coroutine runs as a task that the connection owns; it must bound
        its own waiting, and return only when the answer has ended."""

    def lines(self, path: str, headers: dict[str, str]) -> bytes:
        """Header lines for every answer, refusals included, to a request with an Origin: one that a browser sends for
        a page. No other request pays for being asked about."""

    def refuse(self, fault: Fault) -> tuple[int, bytes, bytes]:
        """Status, further header lines and JSON body for a fault that the server met or `early` returned."""


class Channel(Protocol):
    """Where an exchange writes its answer."""

    def answer(self, exchange: "Exchange", status: int, body: bytes, content_type: str, extra: bytes) -> None: ...

    def begin_stream(self, exchange: "Exchange", status: int, content_type: str, extra: bytes) -> None: ...

    def stream(self, exchange: "Exchange", data: bytes) -> None: ...

    def end_stream(self, exchange: "Exchange") -> None: ...

    async def writable(self) -> None: ...

    @property
    def waiting_bytes(self) -> int: ...


class Exchange:
    """Belongs to one connection and ends with the answer."""

    __slots__ = (
        "_callbacks",
        "_channel",
        "address",
        "also",
        "body",
        "finished",
        "gone",
        "headers",
        "keep_alive",
        "listener",
        "method",
        "old",
        "path",
        "query",
        "started",
    )

    def __init__(
        self, channel: Channel, head: Head, body: bytes, address: str, listener: str, also: bytes = b""
    ) -> None:
        self.method = head.method
        self.path = head.path
        """Percent-encoded as it came, checked: no dot segments, no encoded slashes or control characters."""
        self.query = head.query
        self.headers = head.headers.copy()
        """Lower-case names. Lists are joined with ", "; everything else stands once."""
        self.body = body
        self.address = address
        """IPv4 or IPv6 address of the client; "" on a Unix socket."""
        self.listener = listener
        self.old = head.old
        """HTTP/1.0."""
        self.keep_alive = head.keep_alive
        self.also = also
        """Header lines that the answer has whatever it is, each with its CRLF; added to until it begins."""
        self.started = False
        self.finished = False
        self.gone = False
        """The client has disconnected (or has closed its sending side, which clients of HTTP do only to leave)."""
        self._channel = channel
        self._callbacks: list[Callable[[], None]] | None = None

    def reply(self, status: int, body: bytes = b"", content_type: str = "application/json", extra: bytes = b"") -> None:
        """Send the whole answer. `extra` are ready header lines, each with its CRLF."""
        assert not self.started, "a request has one answer"
        self.started = self.finished = True
        self._callbacks = None  # they refer to whoever holds us, and only the collector would take such a ring apart
        self._channel.answer(self, status, body, content_type, extra)

    def start(self, status: int, content_type: str, extra: bytes = b"") -> None:
        """Begin an answer that is written in parts."""
        assert not self.started, "a request has one answer"
        self.started = True
        self._channel.begin_stream(self, status, content_type, extra)

    def write(self, data: bytes) -> None:
        """Send a part. Await `drain` between parts, or a slow reader fills our memory."""
        assert self.started, "parts come after start"
        assert not self.finished, "parts come before end"
        if data:
            self._channel.stream(self, data)

    async def drain(self) -> None:
        """Wait while the reader is slow. The connection is cut when it takes nothing for write_timeout_s."""
        await self._channel.writable()

    @property
    def waiting_bytes(self) -> int:
        """Bytes written that the client has not taken yet."""
        return self._channel.waiting_bytes

    def end(self) -> None:
        """Finish an answer that was written in parts."""
        assert self.started, "what ends has started"
        assert not self.finished, "a stream ends once"
        self.finished = True
        self._callbacks = None
        self._channel.end_stream(self)

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the client disconnects before the answer has ended; at once if it has already."""
        if self.gone:
            callback()
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    def left(self) -> None:
        """For the connection: the client is gone."""
        if self.gone:
            return
        self.gone = True
        callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback()
