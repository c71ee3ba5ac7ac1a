"""The server over TLS does what it does in the clear: large bodies, streams, slow readers, limits, an orderly end."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mcp_platform.base.config.settings import Http
from mcp_platform.net.gate import Gate
from mcp_platform.net.server import Exchange, HttpServer
from mcp_platform.net.tls_files import Certificate, Pair
from tests.attacks.certificates import Authority
from tests.net.http_peer import ALWAYS, EchoApp, Peer, listening, until

pytestmark = pytest.mark.anyio
AUTHORITY = Authority()


@asynccontextmanager
async def secured(
    folder: Path, app: EchoApp | None = None, http: Http | None = None, gate: Gate | None = None
) -> AsyncIterator[tuple[HttpServer, int]]:
    sock = listening()
    certificate = Certificate(Pair(*AUTHORITY.issue().write(folder)), "1.3", "test")
    server = HttpServer(app or EchoApp(), http or Http(), gate=gate, always=ALWAYS, name="test", tls=certificate)
    server.listen(sock)
    try:
        yield server, sock.getsockname()[1]
    finally:
        await server.drain(1.0)
        sock.close()


@asynccontextmanager
async def peer(port: int) -> AsyncIterator[Peer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=AUTHORITY.pem)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_requests_follow_each_other_on_one_connection(tmp_path: Path) -> None:
    async with secured(tmp_path) as (server, port), peer(port) as client:
        for _ in range(3):
            await client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await client.answer()).status == 200
        assert server.open_connections == 1


@pytest.mark.parametrize("size", [1, 65536, 3 << 20])
async def test_bodies_and_answers_of_any_size_pass(tmp_path: Path, size: int) -> None:
    async def mirror(exchange: Exchange) -> None:
        exchange.reply(200, exchange.body)

    async with secured(tmp_path, EchoApp(answer=mirror)) as (_, port), peer(port) as client:
        body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body)
        assert (await client.answer()).body == body


async def test_a_stream_arrives_part_by_part(tmp_path: Path) -> None:
    taken = asyncio.Event()

    async def stream(exchange: Exchange) -> None:
        exchange.start(200, "text/event-stream")
        exchange.write(b"data: 1\n\n")
        await taken.wait()
        exchange.write(b"data: 2\n\n")
        exchange.end()

    async with secured(tmp_path, EchoApp(answer=stream)) as (_, port), peer(port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(5):
            await client.reader.readuntil(b"data: 1")
            taken.set()
            assert b"data: 2" in await client.reader.readuntil(b"0\r\n\r\n")


async def test_a_reader_that_takes_nothing_is_cut(tmp_path: Path) -> None:
    async def flood(exchange: Exchange) -> None:
        exchange.start(200, "text/event-stream")
        while not exchange.gone:
            exchange.write(b"x" * 65536)
            await exchange.drain()

    http = Http(write_timeout_s=0.3)
    async with secured(tmp_path, EchoApp(answer=flood), http) as (server, port):
        async with peer(port) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that also reads
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: server.open_requests == 1)
            began = time.monotonic()
            await until(lambda: server.open_connections == 0)
            assert time.monotonic() - began < 8
            client.writer.transport.abort()


async def test_a_client_that_leaves_is_noticed(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        exchange.on_gone(left.set)
        await left.wait()

    async with secured(tmp_path, EchoApp(answer=wait)) as (server, port):
        async with peer(port) as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: server.open_requests == 1)
        async with asyncio.timeout(5):
            await left.wait()
        await until(lambda: server.open_connections == 0)


async def test_connections_in_a_handshake_count_and_are_given_back(tmp_path: Path) -> None:
    http = Http(header_timeout_s=0.3)
    async with secured(tmp_path, http=http, gate=Gate.alone(100, 2)) as (server, port):
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        await until(lambda: server.open_connections == 2)
        async with peer(port) as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await client.answer()).status == 429
        await until(lambda: server.open_connections == 0)
        async with peer(port) as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await client.answer()).status == 200
        for sock in crowd:
            sock.close()


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"])
async def test_a_drain_does_not_wait_for_handshakes(tmp_path: Path, sent: bytes) -> None:
    async with secured(tmp_path) as (server, port):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(sent)
            await until(lambda: server.open_connections == 1)
            began = time.monotonic()
            await server.drain(5.0)
            assert time.monotonic() - began < 2
            assert server.open_connections == 0


async def test_a_drain_lets_a_request_over_tls_finish(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def late(exchange: Exchange) -> None:
        await go_on.wait()
        exchange.reply(200, b"late")

    async with secured(tmp_path, EchoApp(answer=late)) as (server, port), peer(port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: server.open_requests == 1)
        draining = asyncio.create_task(server.drain(5.0))
        go_on.set()
        assert (await client.answer()).body == b"late"
        await draining
