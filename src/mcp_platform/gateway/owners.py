"""State lives with one worker: requests for it that reach another are sent on over a Unix socket.

What is sent on is the request as it came, credential included: the owner authenticates and authorises it anew and
trusts nothing that the first worker found. One hop is all: a request that was sent on is answered where it arrives.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.base.log import Log
from mcp_platform.gateway.errors import PARKED_GONE
from mcp_platform.gateway.exchange import Exchange
from mcp_platform.net import local
from mcp_platform.net.frames import LINK_CLOSED, FrameStream, peer_uid
from mcp_platform.snapshot.model import SessionEnded, SessionNotes

log = Log(__name__)
MAX_HOPS_OPEN = 8192
"""Requests of other workers that one worker holds at once: half of them may be streams that are open for hours."""
TOLD_S = 2.0
"""Seconds that other workers have to say that they were told. One that is starting learns it from control."""
Fact = SessionEnded | SessionNotes


class Hop(msgspec.Struct, frozen=True, tag="hop"):
    """A request as it came to the first worker."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    address: str
    query: str = ""


class Whole(msgspec.Struct, frozen=True, tag="whole"):
    """A whole answer."""

    status: int
    body: bytes
    content_type: str
    extra: bytes


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """A stream begins."""

    status: int
    content_type: str
    extra: bytes


class Part(msgspec.Struct, frozen=True, tag="part"):
    """A part of a stream."""

    data: bytes


class End(msgspec.Struct, frozen=True, tag="end"):
    """The stream has ended."""


class HopExchange:
    """At the owner: the answer side of a request that another worker sent on."""

    def __init__(self, hop: Hop, stream: FrameStream[None]) -> None:
        self.method = hop.method
        self.path = hop.path
        self.query = hop.query
        self.headers = hop.headers
        self.body = hop.body
        self.address = hop.address
        self.gone = False
        self.started = False
        self.also = b""
        """Of the owner's own; the first worker adds what the client's request asks for."""
        self._stream = stream
        self._callbacks: list[Callable[[], None]] = []

    def reply(self, status: int, body: bytes = b"", content_type: str = "application/json", extra: bytes = b"") -> None:
        self.started = True
        self._send(Whole(status, body, content_type, extra + self.also))

    def start(self, status: int, content_type: str, extra: bytes = b"") -> None:
        self.started = True
        self._send(Begin(status, content_type, extra + self.also))

    def write(self, data: bytes) -> None:
        self._send(Part(data))

    def end(self) -> None:
        self._send(End())

    async def drain(self) -> None:
        await self._stream.drain()

    @property
    def waiting_bytes(self) -> int:
        return self._stream.waiting_bytes

    def on_gone(self, callback: Callable[[], None]) -> None:
        if self.gone:
            callback()
        else:
            self._callbacks.append(callback)

    def left(self) -> None:
        """The first worker, or its client, is gone."""
        self.gone = True
        for callback in self._callbacks:
            callback()

    def _send(self, message: object) -> None:
        if not self.gone:
            self._stream.send(message)


class Owners:
    """The ways between the workers of this node."""

    def __init__(self, run_folder: Path, workers: int, slot: int) -> None:
        self._folder = run_folder
        self._workers = workers
        self._slot = slot
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._relayed: set[FrameStream[Whole | Begin | Part | End]] = set()
        """Streams of other workers that go through here."""

    async def forward(self, slot: int, exchange: Exchange, away: ErrorKind = PARKED_GONE) -> None:
        """Let worker `slot` answer. Raises Fault of kind `away` where there is no such worker now."""
        try:
            await self._forward(slot, exchange)
        except Fault as fault:
            if fault.kind is not PARKED_GONE:
                raise
            raise Fault(away, retry_after_s=1 if away.http == 503 else None) from None

    async def answered_by(self, slot: int, exchange: Exchange, lost: ErrorKind, *, stands: bool = False) -> bool:
        """Let worker `slot` answer; False where there is no such worker now, and then nothing was sent. `stands`: with
        a stream that has no end of its own. Raises Fault of kind `lost` where it went away before it answered."""
        try:
            stream = await self._connect(slot)
        except Fault:
            return False
        try:
            await self._through(stream, exchange, stands=stands)
        except Fault as fault:
            raise Fault(lost if fault.kind is PARKED_GONE else fault.kind) from None
        return True

    async def _forward(self, slot: int, exchange: Exchange) -> None:
        if not 0 <= slot < self._workers:
            raise Fault(PARKED_GONE)
        await self._through(await self._connect(slot), exchange, stands=exchange.method == "GET")

    async def _through(
        self, stream: "FrameStream[Whole | Begin | Part | End]", exchange: Exchange, *, stands: bool
    ) -> None:
        exchange.on_gone(stream.close)
        if stands:
            self._relayed.add(stream)
        try:
            stream.send(_hop(exchange))
            await self._relay(stream, exchange)
        except Fault as fault:
            if fault.kind is LINK_CLOSED and not exchange.started:
                raise Fault(PARKED_GONE) from None
            if fault.kind is not LINK_CLOSED:
                raise
            if not exchange.gone:
                exchange.end()
        finally:
            self._relayed.discard(stream)
            stream.close()

    def drain(self) -> None:
        """This worker stops: end the streams of others that go through it. Answers to calls go on."""
        for stream in list(self._relayed):
            stream.close()

    def tell_others(self, exchange: Exchange) -> None:
        """Send a notification on to every other worker; nobody waits for it."""
        self._tell_each(_hop(exchange))

    async def tell_all(self, fact: Fact) -> None:
        """Let every other worker that lives know this; returns when they do."""
        tasks = self._tell_each(fact)
        if tasks:
            await asyncio.wait(tasks)

    def _tell_each(self, message: Hop | Fact) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._tell(slot, message)) for slot in range(self._workers) if slot != self._slot]
        for task in tasks:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return tasks

    def home_of(self, mark: bytes) -> int:
        """The worker that holds the streams and subscriptions of the session with this mark."""
        return int.from_bytes(mark[:4]) % self._workers

    async def serve(
        self, sock: socket.socket, answer: Callable[[Exchange], Awaitable[None]], heard: Callable[[Fact], None]
    ) -> asyncio.Server:
        """Answer what other workers send on to this one; `heard` takes what they tell."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve_one(reader, writer, answer, heard)

        return await asyncio.start_unix_server(connected, sock=sock)

    async def _serve_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Callable[[Exchange], Awaitable[None]],
        heard: Callable[[Fact], None],
    ) -> None:
        stream: FrameStream[Hop | Fact] = FrameStream(reader, writer, Hop | Fact)
        peer: socket.socket = writer.get_extra_info("socket")
        if self._open >= MAX_HOPS_OPEN or peer_uid(peer) != os.geteuid():
            writer.close()
            return
        self._open += 1
        watch: asyncio.Task[bytes] | None = None
        try:
            message = await stream.receive()
            if not isinstance(message, Hop):
                heard(message)
                stream.send(End())
                await stream.drain()
                return
            exchange = HopExchange(message, stream)  # type: ignore[arg-type]  # only sends on it
            watch = asyncio.create_task(reader.read(1))
            watch.add_done_callback(lambda _: exchange.left())
            await answer(exchange)
            await stream.drain()
        except (Fault, ConnectionError):
            log.debug("hop_ended_early")
        finally:
            self._open -= 1
            if watch is not None:
                watch.cancel()
            stream.close()

    async def _connect(self, slot: int) -> FrameStream[Whole | Begin | Part | End]:
        try:
            sock = local.connect(self._folder / f"owner-{slot}.sock", timeout_s=1.0)
            reader, writer = await asyncio.open_unix_connection(sock=sock)
        except OSError:
            raise Fault(PARKED_GONE) from None
        return FrameStream(reader, writer, Whole | Begin | Part | End)

    async def _relay(self, stream: FrameStream[Whole | Begin | Part | End], exchange: Exchange) -> None:
        while True:
            message = await stream.receive()
            if isinstance(message, Whole):
                exchange.reply(message.status, message.body, message.content_type, message.extra)
                return
            if isinstance(message, Begin):
                exchange.start(message.status, message.content_type, message.extra)
            elif isinstance(message, Part):
                exchange.write(message.data)
                await exchange.drain()
            else:
                exchange.end()
                return

    async def _tell(self, slot: int, message: Hop | Fact) -> None:
        try:
            stream = await self._connect(slot)
            stream.send(message)
            async with asyncio.timeout(TOLD_S):
                await stream.receive()
            stream.close()
        except (Fault, TimeoutError):
            log.warning("worker_not_told", slot=slot)


def is_hop(exchange: Exchange) -> bool:
    """Whether another worker sent this request on."""
    return isinstance(exchange, HopExchange)


def _hop(exchange: Exchange) -> Hop:
    return Hop(exchange.method, exchange.path, exchange.headers, exchange.body, exchange.address, exchange.query)
