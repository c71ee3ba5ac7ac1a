"""How connections end: time-outs, drain, shortage of descriptors, and what an interrupted platform leaves behind."""

import asyncio
import resource
import socket
import time

import pytest

from mcp_platform.base.config.settings import Http
from mcp_platform.net.server import Exchange
from tests.net.http_peer import EchoApp, ask, connected, listening, serving, until

GET = b"GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n"
QUICK = Http(header_timeout_s=0.3, body_timeout_s=0.3, idle_timeout_s=0.3, write_timeout_s=0.3)


async def test_idle_connections_close_at_once_on_drain_and_busy_ones_after_their_answer() -> None:
    release = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await release.wait()
        exchange.reply(200)

    async with (
        serving(EchoApp(answer=wait)) as (server, where),
        connected(where) as idle,
        connected(where) as busy,
        connected(where) as streaming,
    ):
        await busy.send(GET + GET)
        await until(lambda: server.open_requests == 1 and server.open_connections == 3)
        draining = asyncio.create_task(server.drain(10))
        assert await idle.rest() == b""
        assert await streaming.rest() == b""
        assert not draining.done()
        release.set()
        assert (await busy.answer()).headers["connection"] == "close"
        assert await busy.rest() == b""
        await asyncio.wait_for(draining, 2)
        assert server.open_connections == 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(where, GET), 0.1)  # the listening socket lives on; nobody accepts


async def test_a_stream_that_began_before_the_drain_ends_with_its_connection() -> None:
    release = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        exchange.start(200, "text/event-stream")
        exchange.write(b"a")
        await release.wait()
        exchange.end()

    async with serving(EchoApp(answer=wait)) as (server, where), connected(where) as peer:
        await peer.send(GET)
        await peer.reader.readuntil(b"a\r\n")
        draining = asyncio.create_task(server.drain(10))
        await asyncio.sleep(0)
        release.set()
        assert await peer.rest() == b"0\r\n\r\n"
        await asyncio.wait_for(draining, 2)


async def test_drain_cuts_at_its_bound_and_cancels_what_hangs() -> None:
    cancelled = asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serving(EchoApp(answer=hang)) as (server, where), connected(where) as peer:
        await peer.send(GET)
        await until(lambda: server.open_requests == 1)
        began = time.monotonic()
        await server.drain(0.2)
        assert time.monotonic() - began < 5
        assert cancelled.is_set()
        assert server.open_connections == 0
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await peer.answer()


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (GET, b"HTTP/1.1 200"),
        (b"GET /mcp HT", b"HTTP/1.1 408"),
        (b"GET /mcp HTTP/1.1\r\nHost: a\r\n", b"HTTP/1.1 408"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx", b"HTTP/1.1 408"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1", b"HTTP/1.1 408"),
    ],
)
async def test_silence_ends_a_connection_with_408_only_in_the_middle_of_a_request(sent: bytes, answer: bytes) -> None:
    async with serving(http=QUICK) as (server, where), connected(where) as peer:
        began = time.monotonic()
        await peer.send(sent)
        got = await peer.rest()
        assert 0.25 < time.monotonic() - began < 5
        assert got.startswith(answer)
        assert bool(got) == bool(answer)
        await until(lambda: server.open_connections == 0)


async def test_a_reader_that_takes_nothing_is_cut_and_its_handler_told() -> None:
    left = asyncio.Event()

    async def flood(exchange: Exchange) -> None:
        exchange.on_gone(left.set)
        exchange.start(200, "text/event-stream")
        while not exchange.gone:
            exchange.write(b"x" * 65536)
            await exchange.drain()
        exchange.end()

    async with serving(EchoApp(answer=flood), QUICK) as (server, where):
        with socket.create_connection(where) as reader:
            reader.sendall(GET)
            await asyncio.wait_for(left.wait(), 5)
            await until(lambda: server.open_connections == 0 and not server.open_requests)


async def test_a_slow_reader_that_takes_something_is_not_cut() -> None:
    parts = 64

    async def much(exchange: Exchange) -> None:
        exchange.start(200, "text/event-stream")
        for _ in range(parts):
            exchange.write(b"x" * 262_144)
            await exchange.drain()
        exchange.end()

    async with serving(EchoApp(answer=much), QUICK) as (_, where):
        reader, writer = await asyncio.open_connection(*where, limit=65536)
        writer.write(GET)
        began, got = time.monotonic(), 0
        while time.monotonic() - began < 1.0:  # more than three write time-outs
            got += len(await asyncio.wait_for(reader.read(65536), 5))
            await asyncio.sleep(0.05)
        while data := await reader.read(1 << 20):
            got += len(data)
            if data.endswith(b"0\r\n\r\n"):
                break
        writer.close()
        assert got > parts * 262_144


async def test_without_descriptors_the_server_waits_and_serves_on(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as (_, where), connected(where) as peer:
        await peer.send(GET)
        await peer.answer()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        waiting = socket.socket()
        waiting.setblocking(False)
        resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, hard))
        try:
            await asyncio.get_running_loop().sock_connect(waiting, where)
            await until(lambda: "no_descriptors" in caplog.text)
            await peer.send(GET)
            assert (await peer.answer()).status == 200, "who is connected is served"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await asyncio.get_running_loop().sock_sendall(waiting, GET)
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(waiting, 100), 5)
        assert data.startswith(b"HTTP/1.1 200")
        waiting.close()


async def test_a_client_that_left_before_it_was_accepted_costs_nothing() -> None:
    sock = listening()
    for _ in range(20):
        early = socket.create_connection(sock.getsockname())
        early.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not close
        early.close()
    async with serving(sock=sock) as (server, where):
        assert (await ask(where, GET)).status == 200
        await until(lambda: server.open_connections == 0)
        assert server._gate.share().mine == 0
