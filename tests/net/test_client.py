"""The pooled client: connections are used again, bounded, closed when in doubt, and no request is sent twice."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.net import client_head
from mcp_platform.net.client import HttpClient
from mcp_platform.net.client_address import parse_url
from mcp_platform.net.client_exchange import HIGH_WATER_BYTES
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY, UPSTREAM_DOWN, UPSTREAM_GARBAGE, UPSTREAM_LOST
from tests.net.raw_upstream import Upstream, Visit, always, answer, eventually, upstream

OK = answer(b'{"ok":true}')


@asynccontextmanager
async def client(**options: object) -> AsyncIterator[HttpClient]:
    made = HttpClient(**options)
    try:
        yield made
    finally:
        await made.close()


async def post(http: HttpClient, server: Upstream, body: bytes = b"{}") -> bytes:
    destination = parse_url(server.url)
    exchange = await http.open(destination)
    try:
        exchange.send(client_head.head("POST", destination, {"content-type": "application/json"}), body)
        await exchange.head()
        return await exchange.read(1 << 20)
    finally:
        exchange.close()


async def fails(kind: ErrorKind, http: HttpClient, server: Upstream) -> Fault:
    with pytest.raises(Fault) as caught:
        await asyncio.wait_for(post(http, server), 5)
    assert caught.value.kind is kind
    return caught.value


async def test_a_connection_is_used_again() -> None:
    async with upstream(always(OK)) as server, client() as http:
        for _ in range(3):
            assert await post(http, server) == b'{"ok":true}'
        assert (len(server.visits), len(server.requests)) == (1, 3)


async def test_a_request_asks_for_no_compression_and_names_its_host() -> None:
    async with upstream(always(OK)) as server, client() as http:
        await post(http, server)
        head = server.requests[0].split(b"\r\n")
        assert head[0] == b"POST /mcp HTTP/1.1"
        assert b"accept-encoding: identity" in head
        assert b"host: 127.0.0.1:%d" % server.port in head


async def test_as_many_connections_as_are_allowed_and_the_rest_waits() -> None:
    gate = asyncio.Event()

    async def script(visit: Visit) -> None:
        while await visit.request():
            await gate.wait()
            await visit.send(OK)

    async with upstream(script) as server, client(max_connections=2) as http:
        calls = [asyncio.create_task(post(http, server)) for _ in range(6)]
        await eventually(lambda: len(server.requests) == 2)
        gate.set()
        assert await asyncio.gather(*calls) == [b'{"ok":true}'] * 6
        assert len(server.visits) == 2


async def test_a_full_pool_says_busy_after_the_time_out_and_loses_no_connection() -> None:
    gate = asyncio.Event()

    async def script(visit: Visit) -> None:
        while await visit.request():
            await gate.wait()
            await visit.send(OK)

    async with upstream(script) as server, client(max_connections=1, connect_timeout_s=0.1) as http:
        first = asyncio.create_task(post(http, server))
        await eventually(lambda: server.requests)
        assert (await fails(UPSTREAM_BUSY, http, server)).retry_after_s
        gate.set()
        await first
        assert await post(http, server) == b'{"ok":true}'
        assert len(server.visits) == 1


async def test_a_caller_that_gives_up_waiting_passes_the_connection_on() -> None:
    gate = asyncio.Event()

    async def script(visit: Visit) -> None:
        while await visit.request():
            await gate.wait()
            await visit.send(OK)

    async with upstream(script) as server, client(max_connections=1) as http:
        first, second, third = (asyncio.create_task(post(http, server)) for _ in range(3))
        await eventually(lambda: server.requests)
        gate.set()
        second.cancel()
        assert await first == await third == b'{"ok":true}'
        assert len(server.visits) == 1


async def test_a_connection_that_the_server_closed_while_idle_is_replaced_before_anything_is_sent() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)

    async with upstream(script) as server, client() as http:
        for _ in range(20):
            assert await post(http, server) == b'{"ok":true}'
            await server.visits[-1].writer.wait_closed()
        assert all(len(visit.requests) == 1 for visit in server.visits)


async def test_a_request_whose_bytes_left_is_never_sent_again() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        if len(server.requests) == 1:
            await visit.send(OK)
            await visit.request()

    async with upstream(script) as server, client() as http:
        await post(http, server)
        await fails(UPSTREAM_LOST, http, server)
        assert len(server.requests) == 2


async def test_an_idle_connection_is_dropped_before_servers_commonly_do() -> None:
    async with upstream(always(OK)) as server, client(idle_s=0.05) as http:
        await post(http, server)
        await server.visits[0].closed()
        await eventually(lambda: not http.connections)


async def test_cancelling_closes_the_connection() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.until_closed()

    async with upstream(script) as server, client() as http:
        call = asyncio.create_task(post(http, server))
        await eventually(lambda: server.requests)
        call.cancel()
        await server.visits[0].closed()
        await asyncio.gather(call, return_exceptions=True)
        await eventually(lambda: not http.connections)


async def test_a_slow_reader_stops_the_sender() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(64):
            await visit.send(b"x" * 1_000_000)
            sent.append(1)

    sent: list[int] = []
    async with upstream(script) as server, client() as http:
        destination = parse_url(server.url)
        exchange = await http.open(destination)
        exchange.send(client_head.head("POST", destination, {}), b"")
        await exchange.head()
        seen = -1
        while seen != len(sent):
            seen = len(sent)
            await asyncio.sleep(0.05)
        # What the kernel's buffers hold on both sides is all that was sent.
        assert len(sent) < 32
        assert exchange._waiting_bytes <= HIGH_WATER_BYTES * 3
        size = 0
        while piece := await exchange.next():
            size += len(piece)
        assert size == 64_000_000


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        OK + OK,
    ],
)
async def test_what_is_no_answer_is_garbage_and_ends_the_connection(said: bytes) -> None:
    async with upstream(always(said)) as server, client() as http:
        await fails(UPSTREAM_GARBAGE, http, server)
        await server.visits[0].closed()


async def test_an_answer_nobody_asked_for_ends_the_connection() -> None:
    async def script(visit: Visit) -> None:
        while await visit.request():
            await visit.send(OK)
            if visit is server.visits[0]:
                await unasked.wait()
                await visit.send(answer(b'{"evil":true}'))

    unasked = asyncio.Event()
    async with upstream(script) as server, client() as http:
        await post(http, server)
        unasked.set()
        await server.visits[0].closed()
        assert await post(http, server) == b'{"ok":true}'
        assert len(server.visits) == 2


async def test_interim_answers_are_skipped_and_counted() -> None:
    async with upstream(always(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK)) as server, client() as http:
        assert await post(http, server) == b'{"ok":true}'
        assert await post(http, server) == b'{"ok":true}'
        assert len(server.visits) == 1


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    moved = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with upstream(always(moved)) as server, client() as http:
        assert await post(http, server) == b""


@pytest.mark.parametrize("closing", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
async def test_a_body_without_length_ends_with_the_connection(closing: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(closing + b"one")
        await visit.send(b"two")

    async with upstream(script) as server, client() as http:
        assert await post(http, server) == b"onetwo"
        assert await post(http, server) == b"onetwo"
        assert len(server.visits) == 2


async def test_a_body_that_ends_early_is_lost() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")

    async with upstream(script) as server, client() as http:
        await fails(UPSTREAM_LOST, http, server)


async def test_nobody_listening_is_down_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with client() as http:
            port = taken.getsockname()[1]
            fault = await fails(UPSTREAM_DOWN, http, Upstream(port))
    assert fault.data == {"stage": "connect", "reason": "ECONNREFUSED", "address": f"127.0.0.1:{port}"}
    assert fault.text == f"Nothing answers at 127.0.0.1:{port}: Connection refused."


async def test_a_name_that_does_not_resolve_is_down() -> None:
    async with client() as http:
        fault = await fails(UPSTREAM_DOWN, http, Upstream(80, "no-such-host.invalid"))
    assert fault.data["stage"] == "resolve"
    assert str(fault.data["reason"]).startswith("EAI_")
    assert "no-such-host.invalid" in fault.text


async def test_ipv6_is_reached() -> None:
    async with upstream(always(OK), host="::1") as server, client() as http:
        assert await post(http, server) == b'{"ok":true}'
        assert b"host: [::1]:%d" % server.port in server.requests[0]


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with upstream(always(OK)) as server, client() as http:
        assert await post(http, server) == b'{"ok":true}'


def tls(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that trusts its issuer."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return server, trusting


async def test_https_with_a_certificate_for_the_host() -> None:
    server_side, client_side = tls("127.0.0.1")
    async with upstream(always(OK), tls=server_side) as server, client(tls=client_side) as http:
        for _ in range(3):
            assert await post(http, server) == b'{"ok":true}'
        assert len(server.visits) == 1


async def test_https_for_another_name_is_refused() -> None:
    server_side, client_side = tls("other.example")
    async with upstream(always(OK), tls=server_side) as server, client(tls=client_side) as http:
        fault = await fails(UPSTREAM_DOWN, http, server)
    assert fault.data == {"stage": "tls", "reason": "wrong_host", "address": f"127.0.0.1:{server.port}"}
    assert fault.text == f"The certificate of 127.0.0.1:{server.port} is for another address."


async def test_https_of_an_unknown_issuer_is_refused() -> None:
    server_side, _ = tls("127.0.0.1")
    async with upstream(always(OK), tls=server_side) as server, client() as http:
        assert (await fails(UPSTREAM_DOWN, http, server)).data["stage"] == "tls"
        assert server.requests == []
