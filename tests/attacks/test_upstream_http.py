"""Threat: an HTTP upstream that is broken or hostile takes the gateway's memory, its time, or another's answer."""

import asyncio
import os
import time

import pytest

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_LOST, UPSTREAM_TIMEOUT, UPSTREAM_TOO_LARGE
from tests.net.raw_upstream import answer
from tests.net.transports.calls import Recorder, refused, result, tool
from tests.net.transports.scripted_mcp import STREAM, Asked, modern, scripted

MEGABYTE = 1_000_000
FLAT_BYTES = 40 * MEGABYTE
"""How much this process may grow while 100 MB come at it: a few buffers, in both roles that it plays here."""


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("how", ["announced", "chunked", "to the end", "one event", "many lines"])
async def test_100_mb_are_cut_at_the_ceiling_with_flat_memory(how: str) -> None:
    piece = b"x" * MEGABYTE

    async def handle(asked: Asked) -> None:
        send = asked.visit.send
        json = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        if how == "announced":
            await send(json + b"content-length: 100000000\r\n\r\n")
        elif how == "to the end":
            await send(json + b"\r\n")
        elif how == "chunked":
            await send(json + b"transfer-encoding: chunked\r\n\r\n")
        else:
            await send(STREAM)
        body = b"data: " + piece + b"\n" if how == "many lines" else piece
        for _ in range(100):
            if how in ("announced", "to the end"):
                await send(piece)
            else:
                await send(b"%x\r\n%b\r\n" % (len(body), body))
            sent.append(len(body))

    sent: list[int] = []
    async with scripted(modern(handle)) as server:
        before = resident()
        await refused(UPSTREAM_TOO_LARGE, server.link, tool("a", max_result_bytes=4 * MEGABYTE))
        assert resident() - before < FLAT_BYTES
        assert sum(sent) < 40 * MEGABYTE


async def test_a_stream_of_notifications_that_never_ends_is_cut() -> None:
    async def handle(asked: Asked) -> None:
        if asked.body["params"]["name"] == "good":
            await asked.result("{}")
            return
        await asked.visit.send(STREAM)
        event = b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":"%b"}}\n\n' % (b"x" * 900)
        chunk = b"%x\r\n%b\r\n" % (len(event) * 50, event * 50)
        while True:
            await asked.visit.send(chunk)

    async with scripted(modern(handle)) as server:
        slowest = 0.0
        done = asyncio.Event()

        async def watch() -> None:
            nonlocal slowest
            while not done.is_set():
                at = time.perf_counter()
                await asyncio.sleep(0)
                slowest = max(slowest, time.perf_counter() - at)

        watching = asyncio.create_task(watch())
        await refused(UPSTREAM_TOO_LARGE, server.link, tool("evil", max_result_bytes=MEGABYTE))
        done.set()
        await watching
        await result(server.link, tool("good"))
        assert slowest < 0.2  # the loop was shared with the attacker's side of this test, on a busy machine


async def test_a_slow_drip_renews_nothing() -> None:
    async def handle(asked: Asked) -> None:
        body = asked.response().encode()
        await asked.visit.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n")
        for byte in body:
            await asked.visit.send(bytes([byte]))
            await asyncio.sleep(0.05)

    async with scripted(modern(handle)) as server:
        at = time.monotonic()
        await refused(UPSTREAM_TIMEOUT, server.link, tool("a", timeout_s=0.3))
        assert time.monotonic() - at < 1.5


async def test_keep_alive_comments_renew_nothing() -> None:
    async def handle(asked: Asked) -> None:
        await asked.visit.send(STREAM)
        while True:
            await asked.visit.send(b"7\r\n: ping\n\r\n")
            await asyncio.sleep(0.02)

    async with scripted(modern(handle)) as server:
        await refused(UPSTREAM_TIMEOUT, server.link, tool("a", timeout_s=0.3))


async def test_progress_for_ever_ends_at_the_longest_call() -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(end=False)
        step = 0
        while True:
            step += 1
            params = f'{{"progressToken":{asked.body["id"]},"progress":{step}}}'
            await asked.event(f'{{"jsonrpc":"2.0","method":"notifications/progress","params":{params}}}')
            await asyncio.sleep(0.02)

    async with scripted(modern(handle), settings=Upstreams(max_call_s=0.6)) as server:
        await refused(UPSTREAM_TIMEOUT, server.link, tool("a", timeout_s=0.3, progress=True))


async def test_an_answer_sent_twice_does_not_become_the_next_calls_answer() -> None:
    async def handle(asked: Asked) -> None:
        name = asked.body["params"]["name"]
        body = answer(asked.response(f'{{"for":"{name}"}}').encode())
        await asked.visit.send(body + body)

    async with scripted(modern(handle)) as server:
        for name in ("one", "two", "three"):
            (got,) = await asyncio.gather(server.link.call(tool(name), Recorder()), return_exceptions=True)
            if isinstance(got, Fault):
                assert got.kind is UPSTREAM_GARBAGE
            else:
                assert got.result == f'{{"for":"{name}"}}'.encode()


async def test_a_connection_cut_in_the_middle_is_lost_and_never_tried_again() -> None:
    async def handle(asked: Asked) -> None:
        await asked.visit.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{")
        asked.visit.writer.transport.abort()

    async with scripted(modern(handle)) as server:
        await refused(UPSTREAM_LOST, server.link, tool("a"))
        assert len(server.named("tools/call")) == 1
