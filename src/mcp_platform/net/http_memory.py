"""What a connection remembers of its request heads, because a client says nearly the same thing again and again.

A head equal to the last one needs no reading. A head all of whose lines were in heads that were accepted before needs
only the checks across lines. Everything else is read in full. Only lines on which httptools and our own splitting
agree are remembered, and only a bounded number of bytes; it all goes with the connection.
"""

from mcp_platform.base.config.settings import Http
from mcp_platform.net.http_head import Head, judge, parse_head

_MAX_BYTES = 8192
"""Bytes of lines one connection remembers, so 64 MiB for 8,192 connections. A usual head has 300 to 1,500."""

_VARYING = {
    spelling: name
    for name in ("authorization", "mcp-name", "mcp-session-id", "content-length")
    for spelling in {name.encode(), name.title().encode(), name.capitalize().encode()}
}
"""Fields whose value is often a new one, by how their names are mostly spelt. None but the length frames a message."""


class _Lines(dict[bytes, tuple[str, str]]):
    """Field lines by their bytes. What varies from request to request is read anew and needs no memory: a plain name,
    a colon, one space and visible ASCII between, which no two parsers can read differently."""

    __slots__ = ()

    def __missing__(self, line: bytes) -> tuple[str, str]:
        name, _, value = line.partition(b": ")
        known = _VARYING.get(name)
        if known is None or not value.isascii():
            raise KeyError
        text = value.decode("ascii")
        if not text.isprintable() or text[:1] in ("", " ") or text[-1] == " ":
            raise KeyError
        if known == "content-length" and not (len(text) < 10 and text.isdigit()):
            raise KeyError
        return known, text


class HeadMemory:
    """Reads the heads of one connection."""

    __slots__ = ("_bytes", "_fields", "_last", "_last_bytes", "_limits", "_starts")

    def __init__(self, limits: Http) -> None:
        self._limits = limits
        self._fields = _Lines()
        self._starts: dict[bytes, Head] = {}
        """Accepted heads by their request line; only what that line says of them is used."""
        self._bytes = 0
        self._last_bytes = b""
        self._last: Head | None = None

    def read(self, head: bytes) -> Head:
        """The same as parse_head(head). Raises Fault(http_*)."""
        if head == self._last_bytes and self._last is not None:
            return self._last
        if len(head) > _MAX_BYTES:
            return parse_head(head, self._limits)
        lines = head.split(b"\r\n")
        found = self._recall(lines, len(head))
        if found is None:
            found = parse_head(head, self._limits)
            self._learn(lines, found)
        self._last_bytes = head
        self._last = found
        return found

    def _recall(self, lines: list[bytes], length: int) -> Head | None:
        """The head made of these lines when all of them are known and each name stands once."""
        start = self._starts.get(lines[0])
        count = len(lines) - 3
        limits = self._limits
        if start is None or count > limits.max_headers or length - len(lines[0]) - 4 > limits.max_header_bytes:
            return None
        fields = self._fields
        try:
            headers = dict([fields[line] for line in lines[1:-2]])
        except KeyError:
            return None
        if len(headers) != count:
            return None
        return judge(start.method, start.path, start.query, headers, old=start.old)

    def _learn(self, lines: list[bytes], head: Head) -> None:
        for line in lines[1:-2]:
            name, _, value = line.partition(b":")
            pair = name.lower().decode("ascii"), value.strip(b" \t").decode("latin-1")
            if name not in _VARYING and head.headers.get(pair[0]) == pair[1] and line not in self._fields:
                self._admit(line)
                self._fields[line] = pair
        self._admit(lines[0])
        self._starts[lines[0]] = head

    def _admit(self, line: bytes) -> None:
        self._bytes += len(line)
        if self._bytes > _MAX_BYTES:
            self.forget()
            self._bytes = len(line)

    def forget(self) -> None:
        """Remember nothing."""
        self._fields.clear()
        self._starts.clear()
        self._bytes = 0
        self._last_bytes = b""
        self._last = None
