"""The ears that one process of ours has at this host's servers: each is one task, from its opening to its end."""

import asyncio

from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.net.frames import FrameStream
from mcp_platform.net.transports.host_wire import Ended, Heard, Honoured, Listen, Missed, ToHost, Unheard, Want, pack
from mcp_platform.net.transports.watch import MAX_LISTENING, Ear
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY
from mcp_platform.upstream_host.pool import Pool

MAX_UNSENT_BYTES = 8 * 1024 * 1024
"""Bytes a worker may leave unread before it is told less, and then that it missed something."""
CATCH_UP_S = 0.5
"""Seconds between looks whether such a worker reads again."""
MAX_WANTS = 16
"""Changes of what one ear wants that wait at once."""

_log = Log(__name__)


class Audience:
    """Belongs to one connection; `leave` ends it."""

    def __init__(self, stream: FrameStream[ToHost], pool: Pool) -> None:
        self._stream = stream
        self._pool = pool
        self._seats: dict[int, _Seat] = {}

    def listen(self, message: Listen) -> None:
        if len(self._seats) >= MAX_LISTENING:
            self._stream.send(pack(message.id, Fault(UPSTREAM_BUSY, retry_after_s=1.0)))
            return
        seat = _Seat(message, self._stream, self._pool)
        self._seats[message.id] = seat
        seat.task = asyncio.get_running_loop().create_task(seat.run(), name=f"listen {message.target.id}")
        seat.task.add_done_callback(lambda _: self._seats.pop(message.id, None))

    def want(self, message: Want) -> None:
        seat = self._seats.get(message.id)
        if seat is not None:
            seat.want(message)

    def cancel(self, identity: int) -> None:
        seat = self._seats.get(identity)
        if seat is not None and seat.task is not None:
            seat.task.cancel()

    def leave(self) -> None:
        for identity in list(self._seats):
            self.cancel(identity)


class _Seat:
    """One ear; it is the server's listener, too."""

    def __init__(self, message: Listen, stream: FrameStream[ToHost], pool: Pool) -> None:
        self.task: asyncio.Task[None] | None = None
        self._message = message
        self._stream = stream
        self._pool = pool
        self._ear: Ear | None = None
        self._wants: set[asyncio.Task[None]] = set()
        self._catching_up: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """A task root; its life is that of the ear."""
        message = self._message
        try:
            await self._sit(message)
        except Fault as fault:
            self._stream.send(pack(message.id, fault))
        except Exception as error:
            _log.error("listening_failed", exc=error)
            self._stream.send(pack(message.id, Fault(INTERNAL)))
        finally:
            if self._catching_up is not None:
                self._catching_up.cancel()
            for want in list(self._wants):
                want.cancel()
            if self._ear is not None:
                await self._ear.close()

    async def _sit(self, message: Listen) -> None:
        """Raises Fault(upstream_*) where it cannot be opened, or breaks."""
        self._ear = await self._pool.attend(
            message.target, message.owner, message.capabilities, message.client_info, message.wanted, self
        )
        self._stream.send(Honoured(message.id, 0, self._ear.honoured))
        fault = await asyncio.shield(self._ear.broken)
        if fault is not None:
            raise fault
        self._stream.send(Ended(message.id))

    def want(self, message: Want) -> None:
        if len(self._wants) >= MAX_WANTS:
            self._refuse(message, Fault(UPSTREAM_BUSY, retry_after_s=1.0))
            return
        task = asyncio.get_running_loop().create_task(self._want(message))
        self._wants.add(task)
        task.add_done_callback(self._wants.discard)

    async def _want(self, message: Want) -> None:
        """A task root; what it waits for is bounded. Turns are taken in order, because the ear takes one at a time."""
        if self._ear is None:
            self._refuse(message, Fault(UPSTREAM_BUSY, retry_after_s=1.0))
            return
        try:
            await self._ear.want(message.wanted)
        except Fault as fault:
            self._refuse(message, fault)
            return
        self._stream.send(Honoured(message.id, message.turn, self._ear.honoured))

    def _refuse(self, message: Want, fault: Fault) -> None:
        self._stream.send(Unheard(message.id, message.turn, fault.kind.code, fault.detail, fault.retry_after_s))

    # What the server says.

    def heard(self, method: str, params: bytes) -> None:
        if self._catching_up is not None or self._stream.unsent_bytes >= MAX_UNSENT_BYTES:
            if self._catching_up is None:
                self._catch_up_later()
            return
        self._stream.send(Heard(self._message.id, method, params))

    def _catch_up_later(self) -> None:
        self._catching_up = asyncio.get_running_loop().call_later(CATCH_UP_S, self._catch_up)

    def _catch_up(self) -> None:
        """Something was left out: say so as soon as the worker reads again."""
        self._catching_up = None
        if self._stream.unsent_bytes >= MAX_UNSENT_BYTES:
            self._catch_up_later()
        else:
            self.renewed()

    def renewed(self) -> None:
        self._stream.send(Missed(self._message.id))

    def failed(self, fault: Fault) -> None:
        """An ear breaks by its future."""
