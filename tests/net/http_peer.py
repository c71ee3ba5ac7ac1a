"""A served application and a peer that writes raw bytes, for the tests of the HTTP server."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import Fault
from mcp_platform.net.gate import Gate
from mcp_platform.net.server import Exchange, HttpServer

ALWAYS = b"X-Content-Type-Options: nosniff\r\n"
PATIENCE_S = 10.0
"""Seconds after which a test gives up waiting."""


@dataclass
class EchoApp:
    """Answers with what it saw; each request is noted."""

    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    judge: Callable[[str, str, dict[str, str], str], Fault | None] | None = None
    answer: Callable[[Exchange], Awaitable[None]] | None = None
    limit: int = 1 << 30

    def early(self, method: str, path: str, headers: dict[str, str], address: str) -> Fault | None:
        return self.judge(method, path, headers, address) if self.judge else None

    def max_body(self, path: str) -> int:
        return self.limit

    def handle(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        self.seen.append((exchange.method, exchange.path, exchange.body))
        return self._later(exchange)

    async def _later(self, exchange: Exchange) -> None:
        if self.answer is not None:
            await self.answer(exchange)
            return
        exchange.reply(200, json.dumps({"path": exchange.path, "length": len(exchange.body)}).encode())

    def lines(self, path: str, headers: dict[str, str]) -> bytes:
        return b""

    def refuse(self, fault: Fault) -> tuple[int, bytes, bytes]:
        extra = b"" if fault.retry_after_s is None else b"Retry-After: %d\r\n" % fault.retry_after_s
        return fault.kind.http, extra, json.dumps({"error": fault.kind.code}).encode()


def listening(family: int = socket.AF_INET) -> socket.socket:
    """A listening socket on loopback, at a port that the system chose."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    sock.listen(1024)
    return sock


@asynccontextmanager
async def serving(
    app: EchoApp | None = None, http: Http | None = None, *, gate: Gate | None = None, sock: socket.socket | None = None
) -> AsyncIterator[tuple[HttpServer, Any]]:
    """A server on a real socket and where to find it."""
    sock = sock or listening()
    server = HttpServer(app or EchoApp(), http or Http(), gate=gate, always=ALWAYS, name="test")
    server.listen(sock)
    try:
        yield server, sock.getsockname()
    finally:
        await server.drain(1.0)
        sock.close()


@dataclass
class Answer:
    """One answer as the peer read it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"])


class Peer:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> None:
        """Write the parts one by one, so that each arrives alone."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            for _ in range(3 if len(parts) > 1 else 0):
                await asyncio.sleep(0)

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """Read one whole answer."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status_line, *lines = head.decode().split("\r\n")[:-2]
            status = int(status_line.split(" ")[1])
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            return Answer(status, headers, b"" if bodiless else await self._body(status, headers))

    async def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            whole = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                whole += (await self.reader.readexactly(size + 2))[:-2]
            assert await self.reader.readexactly(2) == b"\r\n"
            return whole
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        return b"" if status in (100, 204, 304) else await self.reader.read()

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()


@asynccontextmanager
async def connected(where: Any) -> AsyncIterator[Peer]:
    """A connection to a server, closed after its use."""
    if isinstance(where, str):
        peer = Peer(*await asyncio.open_unix_connection(where))
    else:
        peer = Peer(*await asyncio.open_connection(where[0], where[1]))
    try:
        yield peer
    finally:
        peer.writer.close()
        with contextlib.suppress(OSError):
            await peer.writer.wait_closed()


async def ask(where: Any, *parts: bytes) -> Answer:
    """Connect, send, read one answer."""
    async with connected(where) as peer:
        await peer.send(*parts)
        return await peer.answer()


async def until(condition: Callable[[], bool]) -> None:
    """Wait, bounded, for something that another task or process brings about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # what is waited for may happen in another process
            await asyncio.sleep(0.005)
