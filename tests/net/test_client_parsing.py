"""An answer means the same however the network cuts it, and every part of it has a ceiling."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.net.client_connection import Connection, ResponseCeilings
from mcp_platform.net.client_exchange import Exchange
from mcp_platform.net.upstream_errors import UPSTREAM_TOO_LARGE
from tests.net.raw_upstream import Visit, answer, upstream
from tests.net.test_client import client, fails, post

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-Two: a\r\nx-two: b\r\n\r\n"
    b"5;name=value\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nx-trailer: t\r\n\r\n"
)
SIZED = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 11\r\n\r\nhello world"


class Line(asyncio.Transport):
    """The transport's side of a connection in memory, so that a test says where the network cuts."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return _Handle() if name == "socket" else default

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        return None

    def resume_reading(self) -> None:
        return None


class _Handle:
    def fileno(self) -> int:
        return 0

    def setsockopt(self, level: int, option: int, value: int) -> None:
        return None


def feed(pieces: list[bytes], ceilings: ResponseCeilings | None = None) -> tuple[Exchange, bool]:
    """What the connection made of `pieces`, and whether it went back to its pool."""
    freed: list[Connection] = []
    connection = Connection(ceilings or ResponseCeilings(), freed.append, lambda _: None)
    connection.connection_made(Line())
    exchange = ask(connection, pieces)
    return exchange, bool(freed)


def ask(connection: Connection, pieces: list[bytes]) -> Exchange:
    """One more exchange on it."""
    exchange = connection.begin()
    line = connection._transport
    assert line is not None
    for piece in pieces:
        if not line.is_closing():
            connection.data_received(piece)
    return exchange


def plain(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"Content-Length: %d" % len(body), b"", body])


ANSWERS = [
    plain(b"one"),
    plain(b"two"),
    plain(b"longer"),
    plain(b""),
    plain(b"\r\n\r\n"),
    plain(b"a\r\n\r\nb", b"X: y"),
    plain(b"one", b"Date: now"),
    plain(b"one", b"Connection: close"),
    plain(b"one", b"Connection: keep-alive"),
    plain(b"one", b"Content-Encoding: gzip"),
    plain(b"one") + b"more",
    plain(b"one") + plain(b"one"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + plain(b"one"),
    b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\none",
    b"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\none",
    CHUNKED,
    SIZED,
]


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(ANSWERS).flatmap(lambda whole: st.just([whole]) | cut(whole)), min_size=1, max_size=8))
def test_an_answer_means_on_a_used_connection_what_it_means_on_a_new_one(answers: list[list[bytes]]) -> None:
    """Heads that were read before are remembered."""
    freed: list[Connection] = []
    connection, line = Connection(ResponseCeilings(), freed.append, lambda _: None), Line()
    connection.connection_made(line)
    for pieces in answers:
        freed.clear()
        used = ask(connection, pieces)
        alone, free = feed(pieces)
        assert (used.status, used.headers, b"".join(used._chunks)) == (
            alone.status,
            alone.headers,
            b"".join(alone._chunks),
        )
        assert (used._done, bool(freed)) == (alone._done, free)
        assert (used._fault is None) == (alone._fault is None)
        if not free or line.closed:
            return


@st.composite
def cut(draw: st.DrawFn, whole: bytes) -> list[bytes]:
    """`whole` in pieces."""
    at = sorted(draw(st.sets(st.integers(1, len(whole) - 1), max_size=30)))
    return [whole[start:end] for start, end in zip([0, *at], [*at, len(whole)], strict=True)]


@settings(deadline=None)
@given(pieces=cut(CHUNKED))
def test_a_chunked_answer_is_the_same_in_any_pieces(pieces: list[bytes]) -> None:
    exchange, freed = feed(pieces)
    assert exchange.status == 200
    assert (exchange.content_type, exchange.headers["x-two"]) == ("text/event-stream", "a, b")
    assert "x-trailer" not in exchange.headers
    assert b"".join(exchange._chunks) == b"hello world"
    assert freed


@settings(deadline=None)
@given(pieces=cut(SIZED))
def test_a_sized_answer_is_the_same_in_any_pieces(pieces: list[bytes]) -> None:
    exchange, freed = feed(pieces)
    assert (exchange.status, b"".join(exchange._chunks), freed) == (404, b"hello world", True)


@settings(deadline=None)
@given(noise=st.binary(max_size=400), pieces=cut(SIZED))
def test_noise_never_raises_and_never_reaches_the_next_exchange(noise: bytes, pieces: list[bytes]) -> None:
    exchange, freed = feed([*pieces[:-1], noise, pieces[-1]])
    assert exchange._fault is not None or exchange._done or not freed


@pytest.mark.parametrize(
    "bomb",
    [
        b"x-a: b\r\n" * 100_000,
        b"x-a: " + b"b" * 1_000_000,
        b"b" * 1_000_000,
        b"x-a: b\r\n\r\nHTTP/1.1 100 Continue\r\n" * 1000,
    ],
    ids=["many", "long value", "long name", "endless interim"],
)
async def test_a_header_bomb_is_cut(bomb: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 100 Continue\r\n" + bomb)
        await visit.until_closed()

    async with upstream(script) as server, client() as http:
        await fails(UPSTREAM_TOO_LARGE, http, server)
        await server.visits[0].closed()


@pytest.mark.parametrize(
    "flood",
    [b"1;" + b"x" * 1_000_000, b"0\r\n" + b"x-t: y\r\n" * 100_000],
    ids=["chunk extension", "trailers"],
)
async def test_what_carries_no_body_is_cut(flood: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + flood)
        await visit.until_closed()

    async with upstream(script) as server, client() as http:
        await fails(UPSTREAM_TOO_LARGE, http, server)


async def test_a_body_over_the_ceiling_is_not_read() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer(b"x" * ((1 << 20) + 1)))
        await visit.until_closed()

    async with upstream(script) as server, client() as http:
        await fails(UPSTREAM_TOO_LARGE, http, server)


async def test_an_announced_length_beyond_all_reason_is_refused() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: %b\r\n\r\n" % (b"9" * 18))
        await visit.until_closed()

    async with upstream(script) as server, client() as http:
        with pytest.raises(Fault) as caught:
            await post(http, server)
        assert caught.value.kind is UPSTREAM_TOO_LARGE
