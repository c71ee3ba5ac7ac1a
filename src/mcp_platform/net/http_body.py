"""A chunked request body, decoded strictly: no extensions, no trailers, no white space, no bare LF.

httptools takes chunk extensions and does not show them, and two readers that disagree on them are a smuggling hole
(CVE-2025-55315), so we read chunks ourselves. Pure; no socket, no clock.
"""

import re

from mcp_platform.base.errors import Fault
from mcp_platform.net import errors
from mcp_platform.net.http_ceilings import MAX_CHUNKS

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
"""8 digits are 4 GiB, above every ceiling; more could only be a way to overflow somebody."""
_SIZE_BEGUN = re.compile(rb"(?:[0-9A-Fa-f]{1,8}\r?)?")


class ChunkedBody:
    """Takes the bytes after a head until the body is complete."""

    __slots__ = ("_at_end", "_chunks", "_left", "_max_bytes", "_pending", "_size", "body", "rest")

    def __init__(self, max_bytes: int) -> None:
        self.body = bytearray()
        self.rest = b""
        """What followed the body; only after `take` said True."""
        self._max_bytes = max_bytes
        self._pending = b""
        """The part of a size line or line end that came so far: at most 9 bytes."""
        self._left = 0
        """Bytes of the current chunk still to come."""
        self._at_end = False
        """A chunk's bytes are all here and its CRLF is due."""
        self._chunks = 0
        self._size = 0

    def take(self, data: bytes) -> bool:
        """True when the body is complete. Raises Fault(http_chunk_invalid | http_body_too_large)."""
        if self._pending:
            data, self._pending = self._pending + data, b""
        position = 0
        while True:
            if self._left:
                piece = data[position : position + self._left]
                self.body += piece
                self._left -= len(piece)
                position += len(piece)
                if self._left:
                    return False
                self._at_end = True
            if self._at_end:
                line_end = data[position : position + 2]
                if line_end != b"\r\n":
                    return self._wait(line_end, possible=line_end in (b"", b"\r"))
                position += 2
                if self._size == 0:
                    self.rest = data[position:]
                    return True
                self._at_end = False
            match = _SIZE.match(data, position)
            if match is None:
                begun = data[position : position + 11]
                return self._wait(begun, possible=_SIZE_BEGUN.fullmatch(begun) is not None)
            position = match.end()
            self._begin(int(match[1], 16))

    def _begin(self, size: int) -> None:
        self._chunks += 1
        if self._chunks > MAX_CHUNKS or len(self.body) + size > self._max_bytes:
            raise Fault(errors.HTTP_BODY_TOO_LARGE, data={"max_bytes": self._max_bytes, "max_chunks": MAX_CHUNKS})
        self._size = self._left = size
        self._at_end = size == 0  # after the last chunk only CRLF may follow, so a trailer is refused

    def _wait(self, begun: bytes, *, possible: bool) -> bool:
        if not possible:
            raise Fault(errors.HTTP_CHUNK)
        self._pending = begun
        return False
