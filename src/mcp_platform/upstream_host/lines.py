"""Newline-delimited bytes from a child, cut into lines, with a ceiling on each. Pure."""

from mcp_platform.net.transports.pipe import TooLong

EDGE_BYTES = 512
"""Bytes kept of either end of a line that is too long: enough to find the id of the answer it was to be."""


class LineSplitter:
    """Memory stays under the ceiling whatever comes: a line that is too long is thrown away as it arrives."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._start = b""
        self._end: bytes | None = None

    def feed(self, data: bytes) -> list[bytes | TooLong]:
        """The lines that end in `data`, without their line break; empty ones are left out."""
        lines: list[bytes | TooLong] = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            line = self._take()
            if line:
                lines.append(line)
        if rest:
            self._add(rest)
        return lines

    def _add(self, piece: bytes) -> None:
        if self._end is not None:
            self._end = (self._end + piece)[-EDGE_BYTES:]
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._max:
            whole = b"".join(self._pieces)
            self._pieces.clear()
            self._start, self._end = whole[:EDGE_BYTES], whole[-EDGE_BYTES:]

    def _take(self) -> bytes | TooLong:
        line: bytes | TooLong
        if self._end is not None:
            line = TooLong(self._start, self._end)
            self._end = None
        else:
            line = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            line = line.rstrip(b"\r")
            self._pieces.clear()
        self._size = 0
        return line
