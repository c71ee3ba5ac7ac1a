"""Too many, too slow, too large: the ceilings hold while others are served."""

import asyncio
import os
import socket
import statistics
import time
from pathlib import Path

import pytest

from mcp_platform.base.config.settings import Http
from mcp_platform.net import http_connection
from mcp_platform.net.http_ceilings import MAX_CHUNKS
from mcp_platform.net.server import Exchange
from tests.net.http_peer import EchoApp, ask, connected, serving, until

GET = b"GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /mcp HTTP/1.1\r\nHost: a\r\n"
QUICK = Http(header_timeout_s=1.0, body_timeout_s=1.0, idle_timeout_s=1.0, write_timeout_s=1.0)


def resident_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def answered(reader: socket.socket) -> bool:
    try:
        return bool(reader.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


async def endless(exchange: Exchange) -> None:
    if exchange.path != "/endless":
        exchange.reply(200, b"{}")
        return
    exchange.start(200, "text/event-stream")
    while not exchange.gone:
        exchange.write(b"x" * 65536)
        await exchange.drain()
    exchange.end()


async def test_300_slow_connections_hold_nobody_up_and_are_cut_in_time() -> None:
    """100 that never end their headers, 100 that never end their body, 100 that never read."""
    async with serving(EchoApp(answer=endless), QUICK) as (server, where):
        slow = []
        for sent in (
            b"GET /mcp HTTP/1.1\r\nHost: a\r\nX-A: ",
            POST + b"Content-Length: 100\r\n\r\nx",
            b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n",
        ):
            for _ in range(100):
                reader = socket.socket()
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                reader.setblocking(False)
                await asyncio.get_running_loop().sock_connect(reader, where)
                reader.send(sent)
                slow.append(reader)
        # Whoever connects after them is let in after them, so they are all there when the first answer comes.
        began, times = time.monotonic(), []
        drip = slow[:100]
        async with connected(where) as honest:
            while server.open_connections > 1:
                asked = time.monotonic()
                await honest.send(GET)
                assert (await honest.answer()).status == 200
                times.append(time.monotonic() - asked)
                drip = [reader for reader in drip if not answered(reader)]
                for reader in drip:
                    reader.send(b"a")
                await asyncio.sleep(0.01)
                assert time.monotonic() - began < 30, "the time-outs of one second are long over"
        assert statistics.median(times) < 0.25
        statuses = [reader.recv(65536)[:12] for reader in slow[:200]]
        assert set(statuses) == {b"HTTP/1.1 408"}
        for reader in slow:
            reader.close()


@pytest.mark.parametrize("framing", [b"Content-Length: 52428800\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_a_body_of_50_mb_is_refused_early_with_flat_memory(framing: bytes) -> None:
    app = EchoApp()
    part = b"a" * 262_144
    async with serving(app) as (_, where), connected(where) as peer:
        before = resident_kib()
        await peer.send(POST + framing)
        if b"chunked" in framing:
            await peer.send(b"3200000\r\n")
        answer = await peer.answer()  # before a byte of the body
        assert (answer.status, answer.code) == (413, "http_body_too_large")
        for _ in range(200):  # a client that does not look still can send all of it without a reset
            peer.writer.write(part)
            await peer.writer.drain()
        assert resident_kib() - before < 8 * 1024
    assert app.seen == []


async def test_a_client_that_sends_first_and_reads_later_still_reads_the_refusal() -> None:
    async with serving() as (_, where), connected(where) as peer:
        peer.writer.write(POST + b"Content-Length: 52428800\r\n\r\n")
        for _ in range(200):
            peer.writer.write(b"a" * 262_144)
            await peer.writer.drain()
        assert (await peer.answer()).status == 413


async def test_a_body_in_tiny_chunks_is_refused_before_it_costs_time() -> None:
    async with serving() as (_, where):
        answer = await ask(where, POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * (MAX_CHUNKS + 1))
    assert (answer.status, answer.code) == (413, "http_body_too_large")


async def test_unfinished_bodies_have_a_ceiling_over_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "MAX_HELD_BYTES", 100_000)
    async with serving() as (server, where), connected(where) as first, connected(where) as second:
        await first.send(POST + b"Content-Length: 90001\r\n\r\n" + b"a" * 90_000)
        await until(lambda: server.held_bytes == 90_000)
        await second.send(POST + b"Content-Length: 90001\r\n\r\n" + b"a" * 90_000)
        answer = await second.answer()
        assert (answer.status, answer.code) == (503, "http_connections")
        await first.send(b"a")
        assert (await first.answer()).status == 200
        assert server.held_bytes == 0


async def test_many_pipelined_requests_leave_the_loop_to_others() -> None:
    class Plain(EchoApp):
        def handle(self, exchange: Exchange) -> None:
            exchange.reply(204)

    async with serving(Plain()) as (_, where), connected(where) as greedy, connected(where) as honest:
        served = 0
        greedy.writer.write(GET * 9000)
        reading = asyncio.create_task(greedy.reader.readexactly(9000 * 30))
        while not reading.done():
            await honest.send(GET)
            await honest.answer()
            served += 1
        await reading
    assert served >= 20, "the other is served between bursts of 16, not once after all 9,000"


async def test_one_address_may_not_take_every_connection() -> None:
    async with serving(http=Http(max_connections_per_address=3)) as (server, where):
        async with connected(where) as first, connected(where) as second, connected(where) as third:
            for peer in (first, second, third):
                await peer.send(GET)
                assert (await peer.answer()).status == 200
            refused = await ask(where, GET)
            assert (refused.status, refused.code) == (429, "http_address_connections")
            assert refused.headers["retry-after"] == "1"
            other = await ask_from("127.0.0.2", where)
            assert other.startswith(b"HTTP/1.1 200"), "another address is served"
        await until(lambda: server.open_connections == 0)
        assert (await ask(where, GET)).status == 200


async def test_all_addresses_together_have_a_ceiling() -> None:
    async with serving(http=Http(max_connections=2)) as (_, where):
        async with connected(where) as first, connected(where) as second:
            for peer in (first, second):
                await peer.send(GET)
                await peer.answer()
            assert (await ask_from("127.0.0.3", where)).startswith(b"HTTP/1.1 503")


async def ask_from(address: str, where: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*where, local_addr=(address, 0))
    writer.write(GET)
    try:
        return await asyncio.wait_for(reader.read(200), 5)
    finally:
        writer.close()


async def test_connections_that_come_and_go_leave_nothing_behind() -> None:
    async with serving() as (server, where):
        await ask(where, GET)  # the loop opens a descriptor of its own for its first connection
        descriptors = len(os.listdir("/proc/self/fd"))
        for number in range(300):
            reader, writer = await asyncio.open_connection(*where)
            if number % 3:
                writer.write(GET if number % 3 == 1 else b"GET / HT")
            if number % 3 == 1:
                await reader.readuntil(b"}")
            writer.close()
            await writer.wait_closed()
        await until(lambda: server.open_connections == 0)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
        assert server._gate.share().mine == 0
        assert server._gate.held("127.0.0.1") == 0
        assert not server.open_requests
        assert not server._joining
