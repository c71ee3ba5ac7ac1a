"""Tells every worker which revision is the newest: at once when there is one, and each second that control lives."""

import asyncio
import os
import socket
from collections import OrderedDict
from collections.abc import Callable

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.control.publish import Publisher
from mcp_platform.net.frames import FrameStream, peer_uid
from mcp_platform.snapshot.codec import sign_heartbeat
from mcp_platform.snapshot.model import FromWorker, Hello, ListsChanged, ListsHint, SessionEnded, SessionNotes, Taken

log = Log(__name__)
MAX_ENDED = 100_000
"""Ended sessions that are told to workers that come later; the oldest goes first."""
MAX_NOTED = 50_000
"""Sessions whose notes are; as many as a worker remembers (gateway.session_notes)."""


class _Worker:
    """One connected worker."""

    def __init__(self, stream: FrameStream[FromWorker], hello: Hello) -> None:
        self.stream = stream
        self.hello = hello
        self.heard_at = clock.monotonic()


class FeedServer:
    """The control side of every worker's feed."""

    def __init__(self, publisher: Publisher, heartbeat_s: float) -> None:
        self._publisher = publisher
        self._heartbeat_s = heartbeat_s
        self._workers: dict[int, _Worker] = {}
        self._next = 0
        self._ended: OrderedDict[bytes, SessionEnded] = OrderedDict()
        self._notes: OrderedDict[bytes, SessionNotes] = OrderedDict()
        self.hinted: Callable[[ListsHint], None] = lambda hint: None
        """Called where a worker heard a server say that its lists have changed; set by whoever lists again."""
        publisher.announce = self._announce

    def status(self) -> list[dict[str, object]]:
        """What is known of each worker: slot, pid, revision, seconds since it last spoke."""
        now = clock.monotonic()
        return [
            {
                "slot": worker.hello.slot,
                "pid": worker.hello.pid,
                "revision": self._publisher.workers.get(number, 0),
                "silent_s": round(now - worker.heard_at, 1),
            }
            for number, worker in sorted(self._workers.items(), key=lambda each: each[1].hello.slot)
        ]

    async def serve(self, sock: socket.socket) -> asyncio.Server:
        """Answer the workers that connect to `sock`."""
        return await asyncio.start_unix_server(self._connected, sock=sock)

    async def beat(self) -> None:
        """Send heartbeats for ever; ends only by cancellation."""
        while True:
            self._announce()
            await asyncio.sleep(self._heartbeat_s)

    def lists_changed(self, upstream: str, kinds: tuple[str, ...]) -> None:
        """Tell every worker, which tells those clients that want to hear it: after what was published last."""
        changed = ListsChanged(upstream, kinds, self._publisher.revision)
        for worker in self._workers.values():
            if not worker.stream.closing:
                worker.stream.send(changed)

    def _announce(self) -> None:
        for worker in self._workers.values():
            self._send_heartbeat(worker)

    def _send_heartbeat(self, worker: _Worker) -> None:
        publisher = self._publisher
        if publisher.revision and not worker.stream.closing:
            beat = sign_heartbeat(publisher.revision, publisher.signed_hash, worker.hello.nonce, publisher.key)
            worker.stream.send(beat)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream: FrameStream[FromWorker] = FrameStream(reader, writer, FromWorker)
        number = self._next = self._next + 1
        try:
            if peer_uid(writer.get_extra_info("socket")) != os.geteuid():
                return
            async with asyncio.timeout(5):
                hello = await stream.receive()
            if isinstance(hello, Hello):
                await self._follow(number, _Worker(stream, hello))
        except (Fault, TimeoutError):
            log.debug("worker_left", connection=number)
        except asyncio.CancelledError:  # the root of a task: Python 3.11's streams log a cancelled one as an error
            log.debug("feed_ended", connection=number)
        finally:
            self._workers.pop(number, None)
            self._publisher.worker_at(number, None)
            stream.close()

    async def _follow(self, number: int, worker: _Worker) -> None:
        for fact in (*self._ended.values(), *self._notes.values()):
            worker.stream.send(fact)
        self._workers[number] = worker
        self._publisher.worker_at(number, worker.hello.revision)
        self._send_heartbeat(worker)
        while True:
            message = await worker.stream.receive()
            worker.heard_at = clock.monotonic()
            if isinstance(message, Taken):
                self._publisher.worker_at(number, message.revision)
            elif isinstance(message, SessionEnded):
                self._session_ended(message)
                self._pass_on(number, message)
            elif isinstance(message, SessionNotes):
                self._session_noted(message)
                self._pass_on(number, message)
            elif isinstance(message, ListsHint):
                self.hinted(message)

    def _session_ended(self, ended: SessionEnded) -> None:
        self._notes.pop(ended.mark, None)
        self._ended[ended.mark] = ended
        now = clock.now()
        while len(self._ended) > MAX_ENDED or (self._ended and next(iter(self._ended.values())).until < now):
            self._ended.popitem(last=False)

    def _session_noted(self, notes: SessionNotes) -> None:
        known = self._notes.get(notes.mark)
        if notes.mark in self._ended or (known is not None and known.changed > notes.changed):
            return
        self._notes[notes.mark] = notes
        self._notes.move_to_end(notes.mark)
        now = clock.now()
        while len(self._notes) > MAX_NOTED or (self._notes and next(iter(self._notes.values())).until < now):
            self._notes.popitem(last=False)

    def _pass_on(self, sender: int, fact: SessionEnded | SessionNotes) -> None:
        for number, worker in self._workers.items():
            if number != sender:
                worker.stream.send(fact)
