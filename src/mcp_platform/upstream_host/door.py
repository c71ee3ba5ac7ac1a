"""Where workers and control knock: each connection carries many calls, each call is one task.

A connection that ends cancels its calls: nobody is left to hear their answers.
"""

import asyncio
import itertools
import os

from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.net.frames import FrameStream, peer_uid
from mcp_platform.net.transports.announcements import Announcements
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.host_wire import (
    Asked,
    Begin,
    Cancel,
    Changed,
    Done,
    Forget,
    Listen,
    Probe,
    Probed,
    Replied,
    Said,
    Tell,
    ToHost,
    Want,
    Withdrawn,
    pack,
)
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY
from mcp_platform.upstream_host.audience import MAX_UNSENT_BYTES, Audience
from mcp_platform.upstream_host.pool import Pool

MAX_CALLS = 4096
"""Calls at once from one process of ours."""
MAX_TOLD = 256
"""Notifications of clients to their servers that are being passed on at once; what is more is left out."""

_log = Log(__name__)


class Door:
    """Serves the host's socket."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._visitors: set[_Visitor] = set()
        self._announcements = Announcements(self._announce)
        pool.announced = self._announcements.take

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its start to its end; its life is the other process's."""
        if peer_uid(writer.get_extra_info("socket")) not in (os.getuid(), 0):
            _log.error("stranger_at_the_door")
            writer.close()
            return
        visitor = _Visitor(FrameStream(reader, writer, ToHost), self._pool)
        self._visitors.add(visitor)
        try:
            await visitor.serve()
        except Exception as error:  # a task root: the connection ends, the host goes on
            _log.error("door_failed", exc=error)
        finally:
            self._visitors.discard(visitor)
            visitor.leave()

    def _announce(self, upstream: str, method: str) -> None:
        """Everybody is told: who cares is not known here, and control makes one listing of many hints."""
        for visitor in self._visitors:
            visitor.announce(Changed(upstream, method))

    def close(self) -> None:
        self._announcements.close()
        for visitor in list(self._visitors):
            visitor.leave()


class _Visitor:
    """One worker, or control."""

    def __init__(self, stream: FrameStream[ToHost], pool: Pool) -> None:
        self._stream = stream
        self._pool = pool
        self._calls: dict[int, tuple[asyncio.Task[None], _Client]] = {}
        self._audience = Audience(stream, pool)
        self._telling: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        while True:
            try:
                message = await self._stream.receive()
            except Fault:
                return
            self._take(message)

    def _take(self, message: ToHost) -> None:
        if isinstance(message, Begin | Probe):
            if len(self._calls) >= MAX_CALLS:
                self._stream.send(pack(message.id, Fault(UPSTREAM_BUSY, retry_after_s=1.0)))
                return
            client = _Client(message.id, self._stream)
            task = asyncio.get_running_loop().create_task(self._run(message, client))
            self._calls[message.id] = (task, client)
            task.add_done_callback(lambda _: self._calls.pop(message.id, None))
        elif isinstance(message, Cancel):
            if message.id in self._calls:
                self._calls[message.id][0].cancel()
            else:
                self._audience.cancel(message.id)
        elif isinstance(message, Replied):
            if message.id in self._calls:
                self._calls[message.id][1].replied(message)
        elif isinstance(message, Forget):
            self._pool.forget(message.upstream)
        else:
            self._take_rare(message)

    def _take_rare(self, message: Listen | Want | Tell) -> None:
        if isinstance(message, Listen):
            self._audience.listen(message)
        elif isinstance(message, Want):
            self._audience.want(message)
        elif len(self._telling) < MAX_TOLD:
            task = asyncio.get_running_loop().create_task(self._tell(message))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell(self, message: Tell) -> None:
        """A task root; writing to a pipe does not wait."""
        try:
            await self._pool.tell(message.target, message.owner, message.capabilities, message.method, message.params)
        except Fault as fault:
            _log.debug("server_not_told", upstream=message.target.id, code=fault.kind.code)

    def announce(self, message: Changed) -> None:
        if self._stream.unsent_bytes < MAX_UNSENT_BYTES:
            self._stream.send(message)

    async def _run(self, message: Begin | Probe, client: "_Client") -> None:
        """A task root: whatever happens becomes an answer. The call's own deadline ends it."""
        try:
            if isinstance(message, Begin):
                answer = await self._pool.call(message.target, message.call, client)
                self._stream.send(Done(message.id, answer))
            else:
                found = await self._pool.probe(message.target, message.timeout_s, message.owner, message.capabilities)
                self._stream.send(_probed(message.id, found))
        except Fault as fault:
            self._stream.send(pack(message.id, fault))
        except Exception as error:
            _log.error("call_failed", exc=error)
            self._stream.send(pack(message.id, Fault(INTERNAL)))

    def leave(self) -> None:
        for task, _ in list(self._calls.values()):
            task.cancel()
        self._audience.leave()
        self._stream.close()


def _probed(identity: int, found: Found) -> Probed:
    info, capabilities = found.server_info, found.capabilities
    return Probed(identity, found.era, found.version, info, capabilities, found.instructions)


class _Client:
    """The caller at the other end of the connection."""

    def __init__(self, call: int, stream: FrameStream[ToHost]) -> None:
        self._call = call
        self._stream = stream
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    def notify(self, method: str, params: bytes) -> None:
        if self._stream.unsent_bytes < MAX_UNSENT_BYTES:
            self._stream.send(Said(self._call, method, params))

    async def ask(self, method: str, params: bytes) -> Answer:
        """Ends with the call at the latest."""
        identity = next(self._ids)
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = waiting
        self._stream.send(Asked(self._call, identity, method, params))
        try:
            return await waiting
        except asyncio.CancelledError:
            if not self._stream.closing:
                self._stream.send(Withdrawn(self._call, identity))
            raise
        finally:
            del self._waiting[identity]

    def replied(self, message: Replied) -> None:
        waiting = self._waiting.get(message.ask)
        if waiting is not None and not waiting.done():
            waiting.set_result(message.answer)
