"""The HTTP server answers as HTTP/1.1 wants it: connections kept or closed, order, streams, HEAD, addresses."""

import asyncio
import re
import socket
from pathlib import Path

import pytest

from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import UNAVAILABLE, Fault
from mcp_platform.net import local
from mcp_platform.net.http_ceilings import MAX_AHEAD_BYTES
from mcp_platform.net.server import Exchange
from tests.net.http_peer import EchoApp, ask, connected, listening, serving, until

GET = b"GET /mcp HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /mcp HTTP/1.1\r\nHost: a\r\n"


async def test_every_answer_carries_date_length_and_the_fixed_lines() -> None:
    async with serving() as (_, where):
        answer = await ask(where, POST + b"Content-Length: 3\r\n\r\nabc")
    assert answer.status == 200
    assert answer.body == b'{"path": "/mcp", "length": 3}'
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["date"])


async def test_an_application_sees_the_request_as_it_was() -> None:
    seen: list[Exchange] = []

    async def keep(exchange: Exchange) -> None:
        seen.append(exchange)
        exchange.reply(204)

    async with serving(EchoApp(answer=keep)) as (_, where):
        answer = await ask(
            where, b"PUT /a%20b?x=%00 HTTP/1.1\r\nHost: a\r\nX-One:  1 \t\r\nACCEPT: a/b\r\nAccept: c/d\r\n\r\n"
        )
    exchange = seen[0]
    assert answer.status == 204
    assert "content-length" not in answer.headers
    assert (exchange.method, exchange.path, exchange.query) == ("PUT", "/a%20b", "x=%00")
    assert exchange.headers == {"host": "a", "x-one": "1", "accept": "a/b, c/d"}
    assert (exchange.address, exchange.listener, exchange.body) == ("127.0.0.1", "test", b"")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def slower_first(exchange: Exchange) -> None:
        for _ in range(20 if exchange.path == "/0" else 1):
            await asyncio.sleep(0)
        exchange.reply(200, exchange.path.encode(), "text/plain")

    async with serving(EchoApp(answer=slower_first)) as (_, where), connected(where) as peer:
        await peer.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(50)))
        assert [(await peer.answer()).body for _ in range(50)] == [b"/%d" % number for number in range(50)]


async def test_what_a_client_sends_ahead_is_bounded() -> None:
    release = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await release.wait()
        exchange.reply(200)

    async with serving(EchoApp(answer=wait)) as (server, where), connected(where) as peer:
        request = GET + b"X: " + b"a" * 8000 + b"\r\n\r\n"
        peer.writer.write(request)
        await until(lambda: server.open_requests == 1)
        peer.writer.write(request * 2000)
        connection = next(iter(server._connections))
        await until(lambda: len(connection._reader.buffer) > MAX_AHEAD_BYTES)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(connection._reader.buffer) < MAX_AHEAD_BYTES + 300_000, "one read more than the bound at most"
        release.set()
        for _ in range(2001):
            assert (await peer.answer()).status == 200


@pytest.mark.parametrize(
    ("request_head", "kept"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", "close"),
        (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "close"),
        (b"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", "keep-alive"),
    ],
)
async def test_a_connection_is_kept_or_closed_as_the_client_wants(request_head: bytes, kept: str | None) -> None:
    async with serving() as (_, where), connected(where) as peer:
        await peer.send(request_head)
        assert (await peer.answer()).headers.get("connection") == kept
        if kept == "close":
            assert await peer.rest() == b""
        else:
            await peer.send(request_head)
            assert (await peer.answer()).status == 200


async def test_head_gets_the_length_and_no_body() -> None:
    async with serving() as (_, where), connected(where) as peer:
        await peer.send(b"HEAD /mcp HTTP/1.1\r\nHost: a\r\n\r\n" + GET + b"\r\n")
        first = await peer.answer(bodiless=True)
        assert first.headers["content-length"] == "29"
        assert (await peer.answer()).body == b'{"path": "/mcp", "length": 0}'


async def test_a_refused_head_request_gets_no_body_either() -> None:
    app = EchoApp(judge=lambda *_: Fault(UNAVAILABLE))
    async with serving(app) as (_, where), connected(where) as peer:
        await peer.send(b"HEAD /mcp HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        for _ in range(2):
            assert (await peer.answer(bodiless=True)).status == 503


async def three_parts(exchange: Exchange) -> None:
    exchange.start(200, "text/event-stream", b"X-Own: 1\r\n")
    for part in (b"one", b"", b"two", b"three"):
        exchange.write(part)
        await exchange.drain()
    exchange.end()


async def test_a_stream_goes_out_in_chunks_and_keeps_the_connection() -> None:
    async with serving(EchoApp(answer=three_parts)) as (_, where), connected(where) as peer:
        await peer.send((GET + b"\r\n") * 2)
        for _ in range(2):
            answer = await peer.answer()
            assert answer.body == b"onetwothree"
            assert answer.headers["x-own"] == "1"


async def test_a_stream_to_http_1_0_ends_with_the_connection() -> None:
    async with serving(EchoApp(answer=three_parts)) as (_, where), connected(where) as peer:
        await peer.send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        answer = await peer.answer()
        assert "transfer-encoding" not in answer.headers
        assert answer.headers["connection"] == "close"
        assert answer.body == b"onetwothree"


async def test_the_head_of_a_stream_to_head_is_all_there_is() -> None:
    async with serving(EchoApp(answer=three_parts)) as (_, where), connected(where) as peer:
        await peer.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        for _ in range(2):
            assert (await peer.answer(bodiless=True)).headers["transfer-encoding"] == "chunked"


async def test_continue_is_said_only_after_the_application_agreed() -> None:
    head = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    async with serving() as (_, where), connected(where) as peer:
        await peer.send(head)
        assert (await peer.answer()).status == 100
        await peer.send(b"abc")
        assert (await peer.answer()).status == 200
    async with serving(EchoApp(judge=lambda *_: Fault(UNAVAILABLE))) as (_, where), connected(where) as peer:
        await peer.send(head)
        answer = await peer.answer()
        assert (answer.status, answer.code, answer.headers["connection"]) == (503, "unavailable", "close")
    async with serving(EchoApp(limit=2)) as (_, where):
        assert (await ask(where, head)).status == 413


async def test_a_refusal_before_the_body_keeps_a_connection_that_has_no_body_to_come() -> None:
    app = EchoApp(judge=lambda method, path, headers, address: Fault(UNAVAILABLE) if path == "/no" else None)
    async with serving(app) as (_, where), connected(where) as peer:
        await peer.send(b"GET /no HTTP/1.1\r\nHost: a\r\n\r\n" + GET + b"\r\n")
        refused, taken = await peer.answer(), await peer.answer()
        assert (refused.status, taken.status) == (503, 200)
        assert "connection" not in refused.headers
        await peer.send(b"POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" + GET + b"\r\n")
        assert (await peer.answer()).headers["connection"] == "close"
        assert await peer.rest() == b""
    assert [path for _, path, _ in app.seen] == ["/mcp"]


async def test_an_application_may_lower_the_ceiling_of_a_body_and_never_raise_it() -> None:
    head = POST + b"Content-Length: 11\r\n\r\n"
    async with serving(EchoApp(limit=10), Http(max_body_bytes=100)) as (_, where):
        assert (await ask(where, head)).code == "http_body_too_large"
    async with serving(EchoApp(limit=1000), Http(max_body_bytes=10)) as (_, where):
        assert (await ask(where, head)).code == "http_body_too_large"


async def test_a_handler_is_told_when_its_client_leaves() -> None:
    told = asyncio.Event()
    ended = asyncio.Event()

    async def listen(exchange: Exchange) -> None:
        exchange.on_gone(told.set)
        exchange.start(200, "text/event-stream")
        exchange.write(b"hello")
        await told.wait()
        assert exchange.gone
        exchange.on_gone(ended.set)  # too late to wait for it, so it is called at once
        exchange.write(b"nobody reads this")
        await exchange.drain()
        exchange.end()

    async with serving(EchoApp(answer=listen)) as (server, where):
        async with connected(where) as peer:
            await peer.send(GET + b"\r\n")
            await peer.reader.readuntil(b"hello")
        await asyncio.wait_for(ended.wait(), 5)
        await until(lambda: not server.open_requests)
        assert server.open_connections == 0


async def test_a_handler_that_fails_is_answered_with_500_and_its_cause_is_only_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(exchange: Exchange) -> None:
        raise ValueError("the cause")

    async with serving(EchoApp(answer=fail)) as (_, where), connected(where) as peer:
        await peer.send((GET + b"\r\n") * 2)
        first, second = await peer.answer(), await peer.answer()
    assert (first.status, first.code, second.status) == (500, "internal_error", 500)
    assert "the cause" in caplog.text


async def test_a_fault_that_a_handler_raises_is_its_answer() -> None:
    async def refuse(exchange: Exchange) -> None:
        raise Fault(UNAVAILABLE, retry_after_s=7)

    async with serving(EchoApp(answer=refuse)) as (_, where):
        answer = await ask(where, GET + b"\r\n")
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")


async def test_a_stream_that_breaks_does_not_look_like_a_whole_one(caplog: pytest.LogCaptureFixture) -> None:
    async def half(exchange: Exchange) -> None:
        exchange.start(200, "text/event-stream")
        exchange.write(b"half")
        raise ValueError("in the middle")

    async with serving(EchoApp(answer=half)) as (_, where), connected(where) as peer:
        await peer.send(GET + b"\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await peer.answer()
    assert "in the middle" in caplog.text


async def test_a_handler_that_forgets_to_answer_is_found_out(caplog: pytest.LogCaptureFixture) -> None:
    async def forget(exchange: Exchange) -> None:
        return

    async with serving(EchoApp(answer=forget)) as (_, where):
        assert (await ask(where, GET + b"\r\n")).status == 500
    assert "request_unanswered" in caplog.text


class PlainApp(EchoApp):
    """Answers without a task."""

    def handle(self, exchange: Exchange) -> None:
        exchange.reply(200, exchange.path.encode(), "text/plain")


async def test_a_handler_may_answer_at_once() -> None:
    async with serving(PlainApp()) as (server, where), connected(where) as peer:
        await peer.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(100)))
        assert [(await peer.answer()).body for _ in range(100)] == [b"/%d" % number for number in range(100)]
        assert not server.open_requests


async def test_a_large_answer_arrives_whole() -> None:
    large = bytes(range(256)) * 40_000

    async def reply(exchange: Exchange) -> None:
        exchange.reply(200, large, "application/octet-stream")

    async with serving(EchoApp(answer=reply)) as (_, where):
        assert (await ask(where, GET + b"\r\n")).body == large


async def test_a_large_body_arrives_whole_in_either_framing() -> None:
    body = bytes(range(256)) * 8000
    app = EchoApp()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:1], body[1:70_000], body[70_000:]))
    async with serving(app) as (_, where):
        await ask(where, POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await ask(where, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert [seen for _, _, seen in app.seen] == [body, body]


async def test_ipv6_is_served_and_ipv4_over_it_is_ipv4() -> None:
    seen: list[str] = []

    async def note(exchange: Exchange) -> None:
        seen.append(exchange.address)
        exchange.reply(204)

    both = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    both.bind(("::", 0))
    both.listen()
    async with serving(EchoApp(answer=note), sock=both) as (_, where):
        await ask(("::1", where[1]), GET + b"\r\n")
        await ask(("127.0.0.1", where[1]), GET + b"\r\n")
    assert seen == ["::1", "127.0.0.1"]


async def test_a_unix_socket_is_served_without_a_limit_by_address(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sock = local.listen(path)
    async with serving(http=Http(max_connections_per_address=1), sock=sock) as (server, _):
        async with connected(str(path)) as first, connected(str(path)) as second:
            for peer in (first, second):
                await peer.send(GET + b"\r\n")
                assert (await peer.answer()).status == 200
            assert server.open_connections == 2


async def test_several_sockets_are_served_at_once() -> None:
    other = listening(socket.AF_INET6)
    async with serving() as (server, where):
        server.listen(other)
        for at in (where, other.getsockname()):
            assert (await ask(at, GET + b"\r\n")).status == 200
    other.close()
