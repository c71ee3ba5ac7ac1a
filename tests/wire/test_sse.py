"""Server-sent events: the same events in any pieces, and no event over the ceiling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.wire.sse import Event, EventTooLarge, SseParser


def parse(stream: bytes, most: int = 10_000) -> list[Event]:
    return SseParser(most).feed(stream)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_ending_of_the_standard(end: bytes) -> None:
    stream = end.join([b"event: message", b"id: 7", b"data: one", b"data:two", b"data", b"", b""])
    assert parse(stream)[:1] == [Event(b"one\ntwo\n", "message", "7")]


def test_the_standards_own_examples() -> None:
    """WHATWG HTML §9.2.6."""
    assert parse(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [Event(b"YHOO\n+2\n10")]
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert parse(stream) == [
        Event(b"first event", id="1"),
        Event(b"second event", id=""),
        Event(b" third event", id=""),
    ]
    assert parse(b"data\n\ndata\ndata\n\ndata:") == [Event(b""), Event(b"\n")]
    assert parse(b"data:test\n\ndata: test\n\n") == [Event(b"test"), Event(b"test")]


def test_a_byte_order_mark_is_skipped_once() -> None:
    assert parse(b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n") == [Event(b"x")]


def test_an_event_that_does_not_end_is_none() -> None:
    assert parse(b"data: x\n") == []


def test_an_id_with_nul_is_ignored() -> None:
    assert parse(b"id: a\0b\ndata: x\n\n") == [Event(b"x")]


LINES = st.sampled_from(
    [
        b"data: x",
        b"data:",
        b"data",
        b"event: ping",
        b"id: 1",
        b": comment",
        b"",
        b"",
        b"retry: 5",
        b"\xff",
        b"data: \xc3",
    ]
)


@given(lines=st.lists(LINES, max_size=40), ends=st.data())
def test_events_are_the_same_in_any_pieces(lines: list[bytes], ends: st.DataObject) -> None:
    stream = b"".join(line + ends.draw(st.sampled_from([b"\n", b"\r", b"\r\n"])) for line in lines)
    at = sorted(ends.draw(st.sets(st.integers(0, len(stream)), max_size=20)))
    pieces = [stream[start:end] for start, end in zip([0, *at], [*at, len(stream)], strict=True)]
    parser = SseParser(10_000)
    assert [event for piece in pieces for event in parser.feed(piece)] == parse(stream)


@given(stream=st.binary(max_size=300))
def test_noise_never_raises(stream: bytes) -> None:
    parse(stream)


@pytest.mark.parametrize(
    "bomb",
    [b"data: " + b"x" * 2000, b"data: x\n" * 300, b"event: " + b"x" * 2000, b"id: 1\n" * 300, b"x" * 2000],
    ids=["one line", "many lines", "kind", "ids", "no field"],
)
def test_an_event_over_the_ceiling_is_refused_whatever_it_is_made_of(bomb: bytes) -> None:
    for size in (1, 7, len(bomb)):
        parser = SseParser(1000)
        pieces = (bomb[start : start + size] for start in range(0, len(bomb), size))
        with pytest.raises(EventTooLarge):
            any(parser.feed(piece) for piece in pieces)


def test_keep_alive_comments_fill_no_ceiling() -> None:
    parser = SseParser(1000)
    assert parser.feed(b"data: x\n") == []
    for _ in range(1000):
        parser.feed(b": still here\n")
    assert parser.feed(b"\n") == [Event(b"x")]


def test_a_long_line_in_small_pieces_is_joined_once() -> None:
    parser = SseParser(20_000_000)
    piece = b"x" * 1000
    parser.feed(b"data: ")
    for _ in range(10_000):
        parser.feed(piece)
    assert len(parser.feed(b"\n\n")[0].data) == 10_000_000


def test_the_last_id_is_that_of_the_last_whole_event() -> None:
    parser = SseParser(1000)
    assert parser.last_id is None
    parser.feed(b"id: 1\n\n")
    assert parser.last_id == "1"
    parser.feed(b"id: 2\ndata: x\n")
    assert parser.last_id == "1"
    parser.feed(b"\n")
    assert parser.last_id == "2"


@pytest.mark.parametrize(
    ("value", "read"), [("500", 500), ("0", 0), ("-1", None), ("1.5", None), ("", None), ("9" * 10, None)]
)
def test_a_retry_is_read_where_it_is_a_number_of_sensible_size(value: str, read: int | None) -> None:
    parser = SseParser(1000)
    parser.feed(f"retry: {value}\n\n".encode())
    assert parser.retry_ms == read
