"""An upstream that a test writes byte by byte: a real TCP server whose answers are a coroutine of the test's."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Visit:
    """One connection that the client under test opened."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[bytes] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the connection ended."""

    async def request(self) -> bytes:
        """The next whole request, head and body; b"" when the client closed."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        named = head.lower().split(b"content-length: ")
        length = int(named[1].split(b"\r\n")[0]) if len(named) > 1 else 0
        whole = head + await self.reader.readexactly(length)
        self.requests.append(whole)
        return whole

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until_closed(self) -> None:
        """For a script: go on when the client closed."""
        while await self.reader.read(65536):
            pass

    async def closed(self) -> None:
        """For a test: wait until the connection ended."""
        await asyncio.wait_for(self.gone.wait(), 5)


Script = Callable[[Visit], Awaitable[None]]


@dataclass
class Upstream:
    """A running server."""

    port: int
    host: str = "127.0.0.1"
    scheme: str = "http"
    visits: list[Visit] = field(default_factory=list)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/mcp"

    @property
    def requests(self) -> list[bytes]:
        return [request for visit in self.visits for request in visit.requests]


@asynccontextmanager
async def upstream(
    script: Script, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Upstream]:
    """Run `script` for each connection; it ends by returning, and the connection is closed then."""
    running = Upstream(0, host, "http" if tls is None else "https")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(reader, writer)
        running.visits.append(visit)
        try:
            await script(visit)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            visit.gone.set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def eventually(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event: it is seen from outside
            await asyncio.sleep(0.005)


def answer(body: bytes, *, status: bytes = b"200 OK", kind: bytes = b"application/json", extra: bytes = b"") -> bytes:
    """A whole HTTP answer with a length."""
    head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n" % (status, kind, len(body), extra)
    return head + body


def always(data: bytes) -> Script:
    """Give the same bytes for every request."""

    async def script(visit: Visit) -> None:
        while await visit.request():
            await visit.send(data)

    return script
