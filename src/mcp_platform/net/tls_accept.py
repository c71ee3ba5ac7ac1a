"""The beginning of a connection to a TLS listener, bounded in time; how it fails is counted, and told now and then.

Anybody can fail a handshake as often as they like: the log gets one line for many.
"""

import asyncio
import socket
import ssl
from collections import Counter

from mcp_platform.base.log import Log
from mcp_platform.net.tls import HANDSHAKE

SHUTDOWN_S = 2.0
"""Seconds that a client gets to answer the end of a connection (close_notify); it has all of the answer by then."""
TELL_EVERY_S = 60.0
MAX_REASONS = 32
"""Kinds of failure that are told apart; OpenSSL has some dozens, of which a client can cause a few."""

_log = Log(__name__)


class Handshakes:
    """Of one listener in one process."""

    def __init__(self, surface: str) -> None:
        self._surface = surface
        self._failed: Counter[str] = Counter()
        self._tell_at = 0.0

    async def begins(self, client: socket.socket, timeout_s: float) -> bool | None:
        """Whether the client's first byte begins TLS; it stays unread. None where it left without one, as health checks
        of TCP do. Raises TimeoutError, OSError."""
        async with asyncio.timeout(timeout_s):
            first = await _peek(client)
        return first[0] == HANDSHAKE if first else None

    async def finish(
        self, client: socket.socket, protocol: asyncio.Protocol, context: ssl.SSLContext, timeout_s: float
    ) -> None:
        """Hand the socket to the loop once the handshake is done. Raises OSError: ssl.SSLError, time-out, gone."""
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: protocol,
            client,
            ssl=context,
            ssl_handshake_timeout=timeout_s,
            ssl_shutdown_timeout=SHUTDOWN_S,
        )

    def failed(self, error: Exception) -> None:
        """Count a connection that came to nothing."""
        reason = getattr(error, "reason", None)
        name = str(reason).lower() if isinstance(error, ssl.SSLError) and reason else type(error).__name__
        self._failed[name if name in self._failed or len(self._failed) < MAX_REASONS else "other"] += 1

    def tell(self, now: float) -> None:
        """One line for all failures of a while. `now`: monotonic seconds."""
        if self._failed and now >= self._tell_at:
            self._tell_at = now + TELL_EVERY_S
            _log.warning("tls_handshakes_failed", surface=self._surface, reasons=dict(self._failed))
            self._failed.clear()


async def _peek(client: socket.socket) -> bytes:
    """The first byte, when there is one; empty at the end of the stream."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return client.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            pass
        readable = loop.create_future()
        loop.add_reader(client, _set, readable)
        try:
            await readable
        finally:
            loop.remove_reader(client)


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
