"""What is kept of streams for clients that come back: in order, bounded, and of nobody else."""

from collections.abc import Callable

import pytest

from mcp_platform.gateway import client_stream, resumption
from mcp_platform.gateway.client_stream import ClientStream
from mcp_platform.gateway.exchange import MAX_WAITING_BYTES
from mcp_platform.gateway.resumption import Kept, StreamName
from mcp_platform.gateway.sealed import Seal
from mcp_platform.wire.sse import Event, SseParser

SECRET = b"k" * 32


class Tape:
    """An exchange whose client takes what is written, or nothing at all."""

    def __init__(self, *, takes: bool = True) -> None:
        self.method, self.path, self.query, self.address = "GET", "/mcp", "", ""
        self.headers: dict[str, str] = {}
        self.body = self.also = b""
        self.gone = self.started = self.ended = False
        self.written = b""
        self._takes = takes
        self._callbacks: list[Callable[[], None]] = []

    def reply(self, status: int, body: bytes = b"", content_type: str = "application/json", extra: bytes = b"") -> None:
        raise AssertionError("a stream is no reply")

    def start(self, status: int, content_type: str, extra: bytes = b"") -> None:
        self.started = True

    def write(self, data: bytes) -> None:
        assert self.started
        assert not self.ended
        self.written += data

    def end(self) -> None:
        self.ended = True

    async def drain(self) -> None:
        return

    @property
    def waiting_bytes(self) -> int:
        return 0 if self._takes else len(self.written)

    def on_gone(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def leave(self) -> None:
        self.gone = True
        for callback in self._callbacks:
            callback()

    def events(self) -> list[Event]:
        return SseParser(1 << 30).feed(self.written)


def kept(slot: int = 0) -> Kept:
    return Kept(Seal(SECRET, "event id v1", StreamName), slot, absent_s=60.0)


def begin(of: Kept, session: bytes = b"s", principal: str = "p", request: str | int | None = 1) -> ClientStream:
    return of.begin(principal, session, request, answers=request is not None, primes=False)


async def test_what_was_missed_comes_in_order_and_once() -> None:
    stream, first, second = begin(kept()), Tape(), Tape()
    over = stream.attach(first)
    for number in range(3):
        stream.send(b"%d" % number)
    first.leave()
    assert over.done()
    stream.send(b"3")
    seen = first.events()[1]
    assert seen.id is not None
    name, _, number = seen.id.rpartition(".")
    assert name == stream.name
    stream.attach(second, int(number))
    stream.send(b"4")
    stream.finish(b"5")
    assert [event.data for event in second.events()] == [b"2", b"3", b"4", b"5"]
    assert second.ended
    assert not first.ended, "who is gone is told nothing"


async def test_a_second_connection_takes_the_place_of_the_first() -> None:
    stream, first, second = begin(kept()), Tape(), Tape()
    over = stream.attach(first)
    stream.attach(second)
    assert first.ended
    assert over.done()
    stream.send(b"x")
    assert [event.data for event in second.events()] == [b"x"]
    assert first.events() == []


async def test_a_slow_reader_is_cut_and_may_come_back_for_the_rest() -> None:
    stream, slow, again = begin(kept()), Tape(takes=False), Tape()
    stream.attach(slow)
    piece = b"x" * (MAX_WAITING_BYTES // 2)
    while not slow.ended:
        stream.send(piece)
    assert len(slow.written) < 2 * MAX_WAITING_BYTES
    stream.finish(b"answer")
    stream.attach(again, len(slow.events()))
    assert [event.data for event in again.events()][-1] == b"answer"


async def test_of_one_stream_the_oldest_goes_first_and_the_answer_never() -> None:
    stream, tape = begin(kept()), Tape()
    for number in range(client_stream.MAX_EVENTS + 10):
        stream.send(b"%d" % number)
    stream.finish(b"y" * (2 * client_stream.MAX_BYTES))
    stream.attach(tape)
    found = tape.events()
    assert len(found) <= client_stream.MAX_EVENTS
    assert len(found[-1].data) == 2 * client_stream.MAX_BYTES


async def test_one_principal_takes_no_more_than_its_share_and_nothing_of_anothers() -> None:
    of = kept()
    other = begin(of, b"other", "other")
    other.finish(b"z" * 1000)
    streams = [begin(of, b"%d" % number, "greedy") for number in range(40)]
    for stream in streams:
        stream.finish(b"x" * (1 << 20))
    held = [stream for stream in streams if of.find(_name(of, stream)) is not None]
    assert len(held) * (1 << 20) <= resumption.MAX_KEPT_BYTES_OF_PRINCIPAL
    assert streams[-1] in held
    assert of.find(_name(of, other, b"other")) is other


def _name(of: Kept, stream: ClientStream, session: bytes | None = None) -> StreamName:
    read = of.read(f"{stream.name}.0", session if session is not None else stream.session)
    assert read is not None
    return read[0]


async def test_an_id_opens_for_its_own_session_and_worker_alone() -> None:
    here, there, restarted = kept(0), kept(1), kept(0)
    stream = begin(here, b"mine", request="call-7")
    named = here.read(f"{stream.name}.5", b"mine")
    assert named is not None
    assert (named[0].request, named[0].slot, named[1]) == ("call-7", 0, 5)
    assert here.find(named[0]) is stream
    assert here.read(f"{stream.name}.5", b"another") is None
    assert there.find(named[0]) is None
    assert restarted.find(named[0]) is None, "a stream dies with its worker"
    for text in ("", ".", "5", f"{stream.name}.", f"{stream.name}.-1", f"{stream.name[:-2]}xx.5"):
        assert here.read(text, b"mine") is None


@pytest.mark.parametrize("done", [True, False])
async def test_nobody_is_waited_for_for_ever(done: bool) -> None:
    of, tape = kept(), Tape()
    stream = begin(of, request=None)
    stream.attach(tape)
    left = tape if not done else None
    if left is not None:
        left.leave()
    else:
        stream.finish()
    assert stream.left_at is not None
    of.tick(stream.left_at + 20.0)
    assert len(of) == 1
    of.tick(stream.left_at + 61.0)
    assert len(of) == 0
    assert stream.done
