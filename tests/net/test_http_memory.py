"""What a connection remembers never changes what a head means."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import Fault
from mcp_platform.net.http_head import Head, parse_head
from mcp_platform.net.http_memory import _MAX_BYTES, HeadMemory

LIMITS = Http(max_request_line_bytes=60, max_header_bytes=220, max_headers=7)

STARTS = [b"GET /a HTTP/1.1", b"GET /b?c HTTP/1.1", b"POST /a HTTP/1.1", b"GET /a HTTP/1.0", b"GET /../a HTTP/1.1"]
FIELDS = [
    b"Host: a",
    b"host: a",
    b"Host: b",
    b"Content-Length: 3",
    b"content-length: 17",
    b"Content-Length: +3",
    b"Content-Length: 3 ",
    b"Content-Length: 9999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked ",
    b"Accept: a/b",
    b"Accept: c/d",
    b"Authorization: x",
    b"Authorization:x",
    b"Authorization: y",
    b"authorization: \xff",
    b"Mcp-Name: one",
    b"mcp-name: one two",
    b"Mcp-Name:  one",
    b"Mcp-Name: one ",
    b"Mcp-Name: ",
    b"Mcp-Name: a\tb",
    b"Mcp-Name: a\x7f",
    b"Mcp-Name: a\x00",
    b"Mcp-Name: =?base64?w6Q=?=",
    b"MCP-NAME: one",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Expect: 100-continue",
    b"X: " + b"a" * 120,
    b"Y: " + b"a" * 120,
    b"X : y",
    b"Z:",
]
HEADS = st.builds(
    lambda start, fields: b"\r\n".join([start, *fields, b"", b""]),
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(FIELDS), max_size=8).map(lambda fields: [b"Host: a", *fields]),
)


def read(reading: object, head: bytes) -> Head | str:
    try:
        return reading(head)  # type: ignore[operator, no-any-return]  # either way of reading
    except Fault as fault:
        return fault.kind.code


@settings(max_examples=1500, deadline=None)
@given(st.lists(HEADS, min_size=1, max_size=12))
def test_a_remembered_head_means_what_it_means_alone(heads: list[bytes]) -> None:
    memory = HeadMemory(LIMITS)
    for head in heads:
        assert read(memory.read, head) == read(lambda head: parse_head(head, LIMITS), head)


def test_lines_once_known_are_not_read_again() -> None:
    memory = HeadMemory(Http())
    head = b"POST /mcp HTTP/1.1\r\nHost: a\r\nMcp-Name: %b\r\nContent-Length: %d\r\n\r\n"
    memory.read(head % (b"one", 1))
    assert memory._recall((head % (b"one", 22)).split(b"\r\n"), 80) is not None
    assert memory._recall((head % (b"two", 1)).split(b"\r\n"), 80) is not None
    assert memory._recall((head % (b"t\xfco", 1)).split(b"\r\n"), 80) is None
    assert memory._recall((head % (b"two\r\nX: y", 1)).split(b"\r\n"), 86) is None


def test_memory_is_bounded_whatever_the_heads() -> None:
    memory = HeadMemory(Http())
    for number in range(2000):
        memory.read(b"GET /%d HTTP/1.1\r\nHost: a\r\nX: %d\r\n\r\n" % (number, number))
        held = sum(map(len, memory._fields)) + sum(map(len, memory._starts))
        assert held <= _MAX_BYTES


def test_known_lines_together_still_meet_the_ceilings() -> None:
    memory = HeadMemory(LIMITS)
    start = b"GET /a HTTP/1.1\r\nHost: a\r\n"
    large = [b"X: " + b"a" * 120 + b"\r\n", b"Y: " + b"a" * 120 + b"\r\n"]
    many = [b"H%d: a\r\n" % number for number in range(8)]
    for field in large + many:
        memory.read(start + field + b"\r\n")
    for fields in (large, many):
        assert read(memory.read, start + b"".join(fields) + b"\r\n") == "http_headers_too_large"
