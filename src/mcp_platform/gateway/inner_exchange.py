"""A message that came inside something larger: one of a batch, or one of an HTTP+SSE connection.

What answers it writes as to any client; where that goes is decided by whatever holds it.
"""

from collections.abc import Callable

from mcp_platform.gateway.exchange import Exchange


class InnerExchange:
    """The answer side of such a message. Nobody can come back for it: the larger thing is all there is."""

    def __init__(
        self,
        outer: Exchange,
        body: bytes,
        headers: dict[str, str],
        *,
        whole: Callable[[bytes], None],
        part: Callable[[bytes], None],
    ) -> None:
        """`whole` takes a JSON answer, `part` ready server-sent events."""
        self.method = "POST"
        self.path = outer.path
        self.query = outer.query
        self.headers = headers
        self.body = body
        self.address = outer.address
        self.also = b""
        self.started = False
        self.gone = False
        self.new_session: str | None = None
        """The id of the session that this message began."""
        self._outer = outer
        self._whole = whole
        self._part = part
        self._callbacks: list[Callable[[], None]] = []

    def reply(self, status: int, body: bytes = b"", content_type: str = "application/json", extra: bytes = b"") -> None:
        self.started = True
        for line in extra.split(b"\r\n"):
            if line.startswith(b"Mcp-Session-Id: "):
                self.new_session = line[16:].decode()
        if body and not self.gone:
            self._whole(body)

    def start(self, status: int, content_type: str, extra: bytes = b"") -> None:
        self.started = True

    def write(self, data: bytes) -> None:
        if not self.gone:
            self._part(data)

    def end(self) -> None:
        """The larger thing goes on."""

    async def drain(self) -> None:
        await self._outer.drain()

    @property
    def waiting_bytes(self) -> int:
        return self._outer.waiting_bytes

    def on_gone(self, callback: Callable[[], None]) -> None:
        if self.gone:
            callback()
        else:
            self._callbacks.append(callback)

    def left(self) -> None:
        """The client of the larger thing is gone."""
        if not self.gone:
            self.gone = True
            for callback in self._callbacks:
                callback()
