"""The head of a request: bytes in, a `Head` or a Fault out. Pure; no socket, no clock.

Two readings must agree. Our grammar decides first (it is stricter than RFC 9112: no bare LF, no folding, no empty
line before a request); httptools then reads the same bytes and refuses ambiguous lengths. Nothing is repaired.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import httptools

from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.net import errors

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
"""What reaches an application. CONNECT and TRACE make a server a proxy or an echo; the rest nobody serves here."""

LISTS = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "baggage",
        "cache-control",
        "connection",
        "forwarded",
        "if-match",
        "if-none-match",
        "keep-alive",
        "pragma",
        "prefer",
        "priority",
        "sec-ch-ua",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "te",
        "trailer",
        "tracestate",
        "upgrade",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    }
)
"""Headers that may stand several times; they are joined with ", " (RFC 9110 §5.3). Every other header twice is refused:
RFC 9110 forbids to send it, and two readers would disagree on which of the two counts (host, content-length,
authorization, origin, mcp-*, cookie ...). accept-encoding is a list by definition and decides nothing about access."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_LINE = rb"(" + _TOKEN + rb"{1,32}+) ([!-~]++) HTTP/([0-9]\.[0-9])\r\n"
_FIELD = _TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n"
_REQUEST_LINE = re.compile(_LINE)
_FIELD_LINE = re.compile(_FIELD)
_HEAD = re.compile(_LINE + rb"(?:" + _FIELD + rb")*+\r\n")
_FIRST_BYTE = re.compile(_TOKEN)

_PATH = re.compile(rb"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*+)++")
_QUERY = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]{}|^`]|%[0-9A-Fa-f]{2})*+")
_PATH_REFUSED = re.compile(rb"//|%(?:2[fF]|5[cC]|7[fF]|[01][0-9A-Fa-f])|/(?:\.|%2[eE]){1,2}(?:/|\Z)")
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


@dataclass(slots=True)
class Head:
    """A request head that passed every check."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    length: int
    """Bytes of the body by Content-Length; 0 without one."""
    chunked: bool
    keep_alive: bool
    old: bool
    """HTTP/1.0: takes no chunks and no 100 Continue."""
    expects: bool
    """The sender waits for 100 Continue before it sends the body."""


class HeadWalk:
    """Looks at a head line by line while it arrives, so that a fault is found at its first byte.

    The verdict depends only on the bytes, not on how they were split: within a line the length is judged before the
    form, and an earlier line before a later one.
    """

    __slots__ = ("_count", "_fields_at", "_limits", "_position")

    def __init__(self, limits: Http) -> None:
        self._limits = limits
        self._position = 0
        self._fields_at = 0
        self._count = 0

    def look(self, data: bytes) -> ErrorKind | None:
        """The first fault in `data`, which is all of the head that came so far; None while there is none."""
        if _FIRST_BYTE.match(data) is None:
            return errors.HTTP_MALFORMED
        while True:
            newline = data.find(b"\n", self._position)
            fault = self._unfinished(len(data)) if newline < 0 else self._line(data, newline + 1)
            if newline < 0 or fault is not None:
                return fault
            if data[self._position : newline + 1] == b"\r\n":
                return None
            self._position = newline + 1
            self._fields_at = self._fields_at or newline + 1

    def _unfinished(self, length: int) -> ErrorKind | None:
        """A line without its end yet; one byte more than the ceiling may still turn out to be the CR."""
        if not self._fields_at:
            return errors.HTTP_TARGET_TOO_LONG if length > self._limits.max_request_line_bytes + 1 else None
        return errors.HTTP_HEADERS_TOO_LARGE if length - self._fields_at > self._limits.max_header_bytes + 1 else None

    def _line(self, data: bytes, stop: int) -> ErrorKind | None:
        if not self._fields_at:
            if stop > self._limits.max_request_line_bytes + 2:
                return errors.HTTP_TARGET_TOO_LONG
            return None if _REQUEST_LINE.fullmatch(data, 0, stop) else errors.HTTP_MALFORMED
        if data[self._position : stop] == b"\r\n":
            return None
        self._count += 1
        if stop - self._fields_at > self._limits.max_header_bytes or self._count > self._limits.max_headers:
            return errors.HTTP_HEADERS_TOO_LARGE
        return None if _FIELD_LINE.fullmatch(data, self._position, stop) else errors.HTTP_MALFORMED


class _Fields:
    """Collects the header fields that httptools reads."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        key = _field_name(name)
        text = value.decode("latin-1").rstrip(" \t")
        if key in self.headers:
            if key not in LISTS:
                raise Fault(errors.HTTP_HOST if key == "host" else errors.HTTP_DUPLICATE)
            text = f"{self.headers[key]}, {text}"
        self.headers[key] = text


@lru_cache(maxsize=1024)
def _field_name(raw: bytes) -> str:
    return raw.lower().decode("ascii")


@lru_cache(maxsize=256)
def _checked_path(raw: bytes) -> str:
    """`raw` as text, still percent-encoded, when every reader would take it for the same path."""
    if _PATH.fullmatch(raw) is None or _PATH_REFUSED.search(raw) is not None:
        raise Fault(errors.HTTP_TARGET)
    return raw.decode("ascii")


def parse_head(head: bytes, limits: Http) -> Head:
    """Read a complete head (up to and with its empty line). Raises Fault(http_*)."""
    line_bytes = head.find(b"\r\n")
    match = _HEAD.fullmatch(head)
    if (
        match is None
        or line_bytes > limits.max_request_line_bytes
        or len(head) - line_bytes - 4 > limits.max_header_bytes
        or head.count(b"\n") - 2 > limits.max_headers
    ):
        raise Fault(HeadWalk(limits).look(head) or errors.HTTP_MALFORMED)
    method, target, version = match.groups()
    if version not in (b"1.1", b"1.0"):
        raise Fault(errors.HTTP_VERSION)
    if method not in METHODS:
        raise Fault(errors.HTTP_METHOD)
    raw_path, mark, raw_query = target.partition(b"?")
    path = _checked_path(raw_path)
    if mark and _QUERY.fullmatch(raw_query) is None:
        raise Fault(errors.HTTP_TARGET)
    headers = _read_fields(head)
    return judge(method.decode("ascii"), path, raw_query.decode("ascii"), headers, old=version == b"1.0")


def _read_fields(head: bytes) -> dict[str, str]:
    fields = _Fields()
    try:
        httptools.HttpRequestParser(fields).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # an offer that we do not take: the request stands as it is (RFC 9110 §7.8)
    except httptools.HttpParserCallbackError as error:
        if isinstance(error.__context__, Fault):
            raise error.__context__ from None
        raise
    except httptools.HttpParserError:
        # The grammar held, so what is left for llhttp to refuse is the length: both, two, or no number.
        raise Fault(errors.HTTP_FRAMING) from None
    return fields.headers


def judge(method: str, path: str, query: str, headers: dict[str, str], *, old: bool) -> Head:
    """What only shows when all header fields are known."""
    coding = headers.get("transfer-encoding")
    length = headers.get("content-length", "0")
    if coding is not None and (old or coding.lower() != "chunked" or "content-length" in headers):
        raise Fault(errors.HTTP_FRAMING)
    if not (length.isascii() and length.isdigit()):
        raise Fault(errors.HTTP_FRAMING)
    host = headers.get("host")
    if host is None or not _is_host(host):
        raise Fault(errors.HTTP_HOST)
    expectation = headers.get("expect")
    if expectation is not None and expectation.lower() != "100-continue":
        raise Fault(errors.HTTP_EXPECTATION)
    connection = headers.get("connection")
    keep_alive = not old if connection is None else _keeps(connection, old=old)
    expects = expectation is not None and not old
    return Head(method, path, query, headers, int(length), coding is not None, keep_alive, old, expects)


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


def _keeps(connection: str, *, old: bool) -> bool:
    options = {option.strip().lower() for option in connection.split(",")}
    return "close" not in options and (not old or "keep-alive" in options)
