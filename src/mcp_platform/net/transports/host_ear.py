"""One ear at a stdio server, which the upstream-host holds open for this process."""

import asyncio
import itertools
from collections.abc import Callable

from mcp_platform.base.errors import INTERNAL, Fault, catalogue
from mcp_platform.net.frames import FrameStream
from mcp_platform.net.transports.host_wire import (
    Cancel,
    Ended,
    Failed,
    FromHost,
    Heard,
    Honoured,
    Missed,
    Unheard,
    Want,
    unpack,
)
from mcp_platform.net.transports.model import Listener, Wanted
from mcp_platform.net.upstream_errors import UPSTREAM_LOST, UPSTREAM_TIMEOUT

WANT_S = 30.0
"""Seconds until a change of what is wanted must have been made; a resource's subscription may take ten."""


class HostEar:
    """Open until `close`, or until it breaks."""

    def __init__(
        self, stream: FrameStream[FromHost], identity: int, listener: Listener, on_close: Callable[[], object]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.honoured = Wanted()
        self.broken: asyncio.Future[Fault | None] = loop.create_future()
        self._stream = stream
        self._id = identity
        self._listener = listener
        self._on_close = on_close
        self._turns = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[None]] = {0: loop.create_future()}
        """By turn; 0 is the opening."""

    async def opened(self) -> None:
        """Raises Fault(upstream_*)."""
        await self._waiting[0]

    async def want(self, wanted: Wanted) -> None:
        """Raises Fault(upstream_*)."""
        if self.broken.done():
            raise Fault(UPSTREAM_LOST)
        turn = next(self._turns)
        waiting = self._waiting[turn] = asyncio.get_running_loop().create_future()
        self._stream.send(Want(self._id, turn, wanted))
        try:
            async with asyncio.timeout(WANT_S):
                await waiting
        except TimeoutError:
            raise Fault(UPSTREAM_TIMEOUT) from None
        finally:
            self._waiting.pop(turn, None)

    def take(self, message: FromHost) -> None:
        if isinstance(message, Heard):
            self._listener.heard(message.method, message.params)
        elif isinstance(message, Honoured):
            self.honoured = message.honoured
            waiting = self._waiting.get(message.turn)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
        elif isinstance(message, Unheard):
            waiting = self._waiting.get(message.turn)
            if waiting is not None and not waiting.done():
                kind = catalogue().get(message.code, INTERNAL)
                waiting.set_exception(Fault(kind, message.detail, retry_after_s=message.retry_after_s))
        elif isinstance(message, Missed):
            self._listener.renewed()
        elif isinstance(message, Ended):
            self.end(None)
        elif isinstance(message, Failed):
            self.end(unpack(message))

    def end(self, fault: Fault | None) -> None:
        """Nothing more comes from the host."""
        self._on_close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(fault or Fault(UPSTREAM_LOST))
                waiting.exception()  # nobody may be waiting
        if not self.broken.done():
            self.broken.set_result(fault)

    async def close(self) -> None:
        # One that broke was ended by the host; one that was let go from here is not yet known there.
        self._on_close()
        if not self._stream.closing:
            self._stream.send(Cancel(self._id))
        if not self.broken.done():
            self.broken.cancel()
