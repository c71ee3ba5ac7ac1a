"""MCP servers over HTTP that a test scripts message by message, on a real socket."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.net.client import IDLE_S, HttpClient
from mcp_platform.net.transports.http_link import HttpLink
from mcp_platform.net.transports.model import Announced, Target
from tests.net.raw_upstream import Visit, answer, upstream
from tests.net.transports.calls import Source, closed

DISCOVERED = '{"supportedVersions":["2026-07-28"],"capabilities":{},"resultType":"complete"}'
INITIALIZED = '{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"scripted","version":"1"}}'
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass
class Asked:
    """One HTTP request as the scripted server got it."""

    verb: str
    headers: dict[str, str]
    body: dict[str, Any]
    visit: Visit

    @property
    def method(self) -> str:
        return str(self.body.get("method", ""))

    async def result(self, result: str, extra: bytes = b"") -> None:
        await self.json(f'{{"jsonrpc":"2.0","id":{self.body["id"]},"result":{result}}}', extra=extra)

    async def error(self, code: int, status: bytes = b"200 OK", data: str = "{}") -> None:
        error = f'{{"code":{code},"message":"no","data":{data}}}'
        await self.json(f'{{"jsonrpc":"2.0","id":{self.body["id"]},"error":{error}}}', status)

    async def json(self, body: str, status: bytes = b"200 OK", extra: bytes = b"") -> None:
        await self.visit.send(answer(body.encode(), status=status, extra=extra))

    async def stream(self, *messages: str, end: bool = True) -> None:
        """An event stream with these messages."""
        await self.open()
        for message in messages:
            await self.event(message)
        if end:
            await self.end()

    async def open(self) -> None:
        """Begin an event stream; `event` and `field` follow, `end` closes it in order."""
        await self.visit.send(STREAM)

    async def end(self) -> None:
        await self.visit.send(b"0\r\n\r\n")

    async def event(self, message: str, *, kind: str = "message", identity: str | None = None) -> None:
        named = "" if identity is None else f"id: {identity}\n"
        await self.field(f"{named}event: {kind}\ndata: {message}\n\n")

    async def field(self, text: str) -> None:
        """Any lines of an event stream."""
        data = text.encode()
        await self.visit.send(b"%x\r\n%b\r\n" % (len(data), data))

    def response(self, result: str = '{"ok":true}') -> str:
        return f'{{"jsonrpc":"2.0","id":{self.body["id"]},"result":{result}}}'


Handler = Callable[[Asked], Awaitable[None]]


@dataclass
class Scripted:
    """A running scripted server, and a link to it."""

    link: HttpLink
    client: HttpClient
    source: Source
    url: str = ""
    log: list[Asked] = field(default_factory=list)

    def named(self, method: str) -> list[Asked]:
        """The requests for one JSON-RPC method, or of one HTTP verb."""
        return [asked for asked in self.log if method in (asked.method, asked.verb)]


@asynccontextmanager
async def scripted(
    handler: Handler,
    *,
    interactive: bool = False,
    settings: Upstreams | None = None,
    source: Source | None = None,
    get: "Handler | None" = None,
    announced: Announced = lambda upstream, method: None,
    idle_s: float = IDLE_S,
) -> AsyncIterator[Scripted]:
    """Serve with `handler`; whatever it does not answer stays unanswered. `get` answers GET, else nobody does (405)."""

    async def script(visit: Visit) -> None:
        while request := await visit.request():
            head, _, body = request.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            exact = dict((line.split(": ", 1)[0].lower(), line.split(": ", 1)[1]) for line in lines)
            asked = Asked(first.split()[0], {**headers, **exact}, json.loads(body or b"{}"), visit)
            running.log.append(asked)
            await ((get or no_stream) if asked.verb == "GET" else handler)(asked)

    async with upstream(script) as server:
        target = Target("up_1", 1, "http", server.url, True, interactive)
        client = HttpClient(idle_s=idle_s)
        source = source or Source()
        running = Scripted(
            HttpLink(target, client, source, settings or Upstreams(), announced), client, source, server.url
        )
        try:
            yield running
        finally:
            await closed(running.link)
            await client.close()


def modern(handler: Handler) -> Handler:
    """A modern server whose calls `handler` answers."""

    async def handle(asked: Asked) -> None:
        if asked.method == "server/discover":
            await asked.result(DISCOVERED)
        else:
            await handler(asked)

    return handle


def initialized(capabilities: str = "{}", version: str = "2025-11-25") -> str:
    """The result of `initialize`."""
    info = '{"name":"scripted","version":"1"}'
    return f'{{"protocolVersion":"{version}","capabilities":{capabilities},"serverInfo":{info}}}'


CHANGING = (
    '{"tools":{"listChanged":true},"prompts":{"listChanged":true},'
    '"resources":{"listChanged":true,"subscribe":true},"logging":{}}'
)
"""Capabilities of a server that tells of everything."""


def told(method: str, **params: object) -> str:
    """A notification."""
    return json.dumps({"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params})


def legacy(
    handler: Handler, session: str | None = "s-1", capabilities: str = "{}", version: str = "2025-11-25"
) -> Handler:
    """A legacy server whose calls and answers to questions `handler` sees."""

    async def handle(asked: Asked) -> None:
        if asked.verb == "DELETE":
            await asked.visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        elif asked.method == "server/discover":
            await asked.error(-32600, b"400 Bad Request")
        elif asked.method == "initialize":
            extra = b"" if session is None else f"mcp-session-id: {session}\r\n".encode()
            await asked.result(initialized(capabilities, version), extra)
        elif "id" not in asked.body:
            await asked.visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
        else:
            await handler(asked)

    return handle


async def no_stream(asked: Asked) -> None:
    """There is nothing to GET."""
    await asked.visit.send(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n")


async def fine(asked: Asked) -> None:
    """Every call succeeds."""
    await asked.result('{"ok":true}')
