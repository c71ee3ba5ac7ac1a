"""The head of an answer, encoded once per (status, content type) and second, so that a reply costs one dictionary look.

Every head carries Date and the server's fixed lines, refusals included.
"""

from email.utils import formatdate
from http import HTTPStatus

CLOSE = b"Connection: close\r\n"
ALLOW = b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
"""A 405 must name what is served (RFC 9110 §15.5.6)."""

KEEP_OLD = b"Connection: keep-alive\r\n"
"""HTTP/1.0 closes unless told otherwise; HTTP/1.1 keeps, and needs no word."""

WITHOUT_LENGTH = frozenset({204, 304})
"""Answers that have no body and so no Content-Length (RFC 9110 §8.6)."""

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}

_MAX_HEADS = 256
"""Entries. Statuses and content types are the application's own, so some dozens; a mistake must not grow memory."""


class AnswerHeads:
    """Ready beginnings of answers, from the status line to before the length."""

    __slots__ = ("_always", "_date", "_heads", "_pages")

    def __init__(self, always: bytes, pages: bytes | None = None) -> None:
        """`pages`: what HTML has instead of `always`."""
        assert not always or always.endswith(b"\r\n"), "header lines end with CRLF"
        assert not pages or pages.endswith(b"\r\n"), "header lines end with CRLF"
        self._always = always
        self._pages = always if pages is None else pages
        self._heads: dict[tuple[int, str], bytes] = {}
        self._date = b""

    def at(self, now: float) -> None:
        """Set the Date of what follows; call it at least once a second. `now` is in epoch seconds."""
        date = formatdate(now, usegmt=True).encode()
        if date != self._date:
            self._date = date
            self._heads.clear()

    def head(self, status: int, content_type: str) -> bytes:
        """The status line and every header line but length, connection and the answer's own."""
        key = (status, content_type)
        head = self._heads.get(key)
        if head is None:
            head = b"HTTP/1.1 %d %b\r\nDate: %b\r\n%b" % (
                status,
                _REASONS.get(status, b"Status"),
                self._date,
                self._pages if content_type.startswith("text/html") else self._always,
            )
            if content_type and status not in WITHOUT_LENGTH:
                head += b"Content-Type: %b\r\n" % content_type.encode("ascii")
            if len(self._heads) < _MAX_HEADS:
                self._heads[key] = head
        return head
