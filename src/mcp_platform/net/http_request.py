"""Requests out of a stream of bytes: heads and bodies in order, never more kept than the ceilings. No socket, no clock.

Each head is parsed alone and complete, each body is counted by us, so nothing of one request can reach into the next.
"""

from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import Fault
from mcp_platform.net import errors
from mcp_platform.net.http_body import ChunkedBody
from mcp_platform.net.http_head import Head, HeadWalk
from mcp_platform.net.http_memory import HeadMemory


class RequestReader:
    """What one connection has received and not handled yet."""

    __slots__ = ("_body", "_chunked", "_left", "_limits", "_memory", "_scanned", "_walk", "buffer")

    def __init__(self, limits: Http) -> None:
        self.buffer = b""
        self._limits = limits
        self._scanned = 0
        """Bytes of the buffer in which no end of a head can begin."""
        self._walk: HeadWalk | None = None
        self._memory = HeadMemory(limits)
        self._left = 0
        """Bytes of the body still to come, by Content-Length."""
        self._body: bytearray | None = None
        self._chunked: ChunkedBody | None = None

    @property
    def held(self) -> int:
        """Bytes of an unfinished body."""
        if self._chunked is not None:
            return len(self._chunked.body)
        return len(self._body) if self._body is not None else 0

    def take_head(self) -> Head | None:
        """The next request's head; None while it is not complete. Raises Fault(http_*)."""
        buffer = self.buffer
        end = buffer.find(b"\r\n\r\n", self._scanned) + 4
        if end < 4:
            if buffer:
                self._look(buffer)
            return None
        head_bytes = buffer[:end]
        self.buffer = buffer[end:]
        self._scanned = 0
        self._walk = None
        return self._memory.read(head_bytes)

    def _look(self, buffer: bytes) -> None:
        if self._walk is None:
            self._walk = HeadWalk(self._limits)
        fault = self._walk.look(buffer)
        if fault is not None:
            raise Fault(fault)
        self._scanned = max(0, len(buffer) - 3)

    def begin_body(self, head: Head, max_bytes: int) -> None:
        """Expect the body that `head` announces. Raises Fault(http_body_too_large) before a byte of it is kept."""
        if head.length > max_bytes:
            raise Fault(errors.HTTP_BODY_TOO_LARGE, data={"max_bytes": max_bytes})
        self._left = head.length
        if head.chunked:
            self._chunked = ChunkedBody(max_bytes)

    def take_body(self) -> bytes | None:
        """The whole body; None while it is not complete. Raises Fault(http_chunk_invalid | http_body_too_large)."""
        if self._chunked is not None:
            return self._take_chunked(self._chunked)
        buffer = self.buffer
        left = self._left
        if self._body is None:
            if len(buffer) == left:
                self.buffer = b""
                return buffer
            if len(buffer) > left:
                self.buffer = buffer[left:]
                return buffer[:left]
            self._body = bytearray()
        self._body += buffer[:left]
        self._left -= min(left, len(buffer))
        self.buffer = buffer[left:]
        if self._left:
            return None
        body = bytes(self._body)
        self._body = None
        return body

    def _take_chunked(self, chunked: ChunkedBody) -> bytes | None:
        data, self.buffer = self.buffer, b""
        if not chunked.take(data):
            return None
        self._chunked = None
        self.buffer = chunked.rest
        return bytes(chunked.body)

    def forget(self) -> None:
        """Let go of everything; nothing will be read any more."""
        self.buffer = b""
        self._body = self._chunked = self._walk = None
        self._memory.forget()
