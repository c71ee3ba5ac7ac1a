"""A request and its answer side, as everything here sees them."""

from collections.abc import Callable
from typing import Protocol

KEEP_ALIVE_S = 15.0
"""Seconds of silence after which a comment is sent: half of the shortest idle time-out common in proxies (30 s)."""
MAX_WAITING_BYTES = 1 << 20
"""Bytes that may wait for a slow reader before notifications are left out or its stream is cut; an answer never is."""


class Exchange(Protocol):
    """net.http_exchange.Exchange is one, a request that another worker sent on is another, a message inside something
    larger the third."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    address: str
    gone: bool
    started: bool
    also: bytes
    """Header lines that the answer has whatever it is, each with its CRLF; added to until it begins."""

    def on_gone(self, callback: Callable[[], None]) -> None: ...
    def reply(
        self, status: int, body: bytes = b"", content_type: str = "application/json", extra: bytes = b""
    ) -> None: ...
    def start(self, status: int, content_type: str, extra: bytes = b"") -> None: ...
    def write(self, data: bytes) -> None: ...
    def end(self) -> None: ...
    async def drain(self) -> None: ...
    @property
    def waiting_bytes(self) -> int:
        """Bytes written that the client has not taken yet."""
