"""A framed connection to another of our processes that is opened when needed and opened again when it broke.

It carries messages and says when they can no longer be answered; what they mean is the business of its user.
"""

import asyncio
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net import local
from mcp_platform.net.frames import LINK_CLOSED, FrameStream, peer_uid

T = TypeVar("T")
_log = Log(__name__)

_CONNECT_S = 0.02
"""Seconds connect(2) may hold the loop: on a Unix socket it waits only while the backlog (1024) is full."""
_RETRY_S = 0.05
"""Seconds between tries while the other process is being restarted (the supervisor needs about 10 ms)."""


class Dialer(Generic[T]):
    """One connection to the Unix socket at `path`, shared by everything in this process that talks to that peer."""

    def __init__(
        self, path: Path, receives: object, on_message: Callable[[T], None], on_lost: Callable[[], None]
    ) -> None:
        self._path = path
        self._receives = receives
        self._on_message = on_message
        self._on_lost = on_lost
        self._stream: FrameStream[T] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._opening: asyncio.Lock = asyncio.Lock()
        self._closed = False
        self._poll = select.poll()

    async def stream(self, timeout_s: float) -> FrameStream[T]:
        """The open connection; waits up to `timeout_s` for a peer that is being restarted.

        Raises Fault(link_closed).
        """
        if self._stream is not None and self._is_open(self._stream):
            return self._stream
        try:
            async with asyncio.timeout(timeout_s), self._opening:
                while self._stream is None or not self._is_open(self._stream):
                    await self._open()
        except TimeoutError:
            raise Fault(LINK_CLOSED) from None
        return self._stream

    def _is_open(self, stream: FrameStream[T]) -> bool:
        """Whether the other process still listens; the kernel knows of its death before our loop reads the end."""
        gone = select.POLLRDHUP | select.POLLHUP | select.POLLERR
        return not stream.closing and not any(event & gone for _, event in self._poll.poll(0))

    async def _open(self) -> None:
        previous, self._stream = self._stream, None
        if previous is not None:
            previous.close()
        if self._closed:
            raise Fault(LINK_CLOSED)
        try:
            sock = local.connect(self._path, _CONNECT_S)
        except OSError:
            await asyncio.sleep(_RETRY_S)
            return
        if peer_uid(sock) not in (os.getuid(), 0):
            sock.close()
            _log.error("socket_has_a_stranger", path=str(self._path))
            raise Fault(LINK_CLOSED)
        sock.setblocking(False)
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLRDHUP)
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        self._stream = FrameStream(reader, writer, self._receives)
        self._reading = asyncio.get_running_loop().create_task(self._read(self._stream), name=f"read {self._path.name}")

    async def _read(self, stream: FrameStream[T]) -> None:
        """Ends with the connection, so its life needs no other bound."""
        try:
            while True:
                self._on_message(await stream.receive())
        except Fault:
            pass
        except Exception as error:  # a task root: say what happened, then let the connection be opened anew
            _log.error("frame_reader_failed", exc=error, path=str(self._path))
        finally:
            stream.close()
            if self._stream is stream:
                self._stream = None
            self._on_lost()

    async def close(self) -> None:
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
