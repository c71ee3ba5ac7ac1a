"""An event stream that ends before its answer is read on by GET (2025-11-25), and a request is never sent again."""

import asyncio
import time

import pytest

from mcp_platform.net.transports.http_link import HttpLink
from mcp_platform.net.upstream_errors import UPSTREAM_LOST, UPSTREAM_TIMEOUT
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import Recorder, refused, result, tool
from tests.net.transports.scripted_mcp import Asked, Handler, Scripted, legacy, modern, scripted, told


def polling(*, retry_ms: int = 20, broken: bool = False) -> Handler:
    """Answers a call with a priming event, and ends the stream."""

    async def handle(asked: Asked) -> None:
        await asked.open()
        await asked.field(f"id: e-1\nretry: {retry_ms}\ndata: \n\n")
        if broken:
            asked.visit.writer.close()
        else:
            await asked.end()

    return legacy(handle)


def call_of(server: Scripted) -> Asked:
    return server.named("tools/call")[0]


@pytest.mark.parametrize("broken", [False, True], ids=["ended", "broken"])
async def test_the_answer_comes_on_the_stream_that_is_read_on(broken: bool) -> None:
    async def get(asked: Asked) -> None:
        await asked.open()
        if len(server.named("GET")) == 1:
            await asked.event(told("message", level="info", data="x"), identity="e-2")
            await asked.end()
        else:
            await asked.event(call_of(server).response())

    async with scripted(polling(broken=broken), get=get) as server:
        recorder = Recorder()
        assert await result(server.link, tool("a"), recorder) == b'{"ok":true}'
        assert [asked.headers["last-event-id"] for asked in server.named("GET")] == ["e-1", "e-2"]
        assert server.named("GET")[0].headers["mcp-session-id"] == "s-1"
        assert len(server.named("tools/call")) == 1
        assert len(recorder.said) == 1


async def test_the_server_is_left_alone_as_long_as_it_wants() -> None:
    async def get(asked: Asked) -> None:
        arrived.append(time.monotonic())
        await asked.open()
        await asked.event(call_of(server).response())

    arrived: list[float] = []
    async with scripted(polling(retry_ms=300), get=get) as server:
        await result(server.link, tool("warm"))
        before = time.monotonic()
        arrived.clear()
        server.log.clear()
        await result(server.link, tool("a"))
        assert 0.3 <= arrived[0] - before < 2


@pytest.mark.parametrize("status", [b"405 Method Not Allowed", b"404 Not Found", b"400 Bad Request"])
async def test_a_stream_that_cannot_be_read_on_is_a_lost_call_and_is_not_sent_again(status: bytes) -> None:
    async def get(asked: Asked) -> None:
        await asked.visit.send(b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % status)

    async with scripted(polling(), get=get) as server:
        await refused(UPSTREAM_LOST, server.link, tool("a"))
        assert len(server.named("tools/call")) == 1
        assert len(server.named("initialize")) == 1


async def test_a_stream_that_brings_nothing_new_is_given_up() -> None:
    async def get(asked: Asked) -> None:
        await asked.stream()

    async with scripted(polling(retry_ms=0), get=get) as server:
        await refused(UPSTREAM_LOST, server.link, tool("a"))
        assert len(server.named("GET")) == 3


@pytest.mark.parametrize("waits", ["between", "reading"])
async def test_the_calls_time_out_holds_while_it_is_read_on(waits: str) -> None:
    async def get(asked: Asked) -> None:
        await asked.open()

    async with scripted(polling(retry_ms=20_000 if waits == "between" else 10), get=get) as server:
        await refused(UPSTREAM_TIMEOUT, server.link, tool("a", timeout_s=0.3))
        await eventually(lambda: server.named("notifications/cancelled"))


async def test_a_call_that_is_given_up_between_two_streams_is_cancelled_at_its_server() -> None:
    async with scripted(polling(retry_ms=20_000)) as server:
        call = asyncio.create_task(server.link.call(tool("a"), Recorder()))
        await eventually(lambda: server.named("tools/call"))
        await asyncio.sleep(0)
        call.cancel()
        await eventually(lambda: server.named("notifications/cancelled"))


async def test_an_event_id_that_is_no_header_is_not_sent() -> None:
    async def handle(asked: Asked) -> None:
        await asked.open()
        await asked.field("id: caf\u00e9\nretry: 10\ndata: \n\n")
        await asked.end()

    async with scripted(legacy(handle)) as server:
        await refused(UPSTREAM_LOST, server.link, tool("a"))
        assert server.named("GET") == []


async def test_a_modern_stream_is_not_read_on() -> None:
    async def handle(asked: Asked) -> None:
        await asked.open()
        await asked.field("id: e-1\ndata: \n\n")
        await asked.end()

    async with scripted(modern(handle)) as server:
        assert isinstance(server.link, HttpLink)
        await refused(UPSTREAM_LOST, server.link, tool("a"))
        assert server.named("GET") == []
