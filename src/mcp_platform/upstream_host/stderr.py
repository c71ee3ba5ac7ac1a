"""What a server writes to stderr, as lines of our log: escaped, without secrets, and not too many of them."""

from mcp_platform.base import clock
from mcp_platform.base.log import Log
from mcp_platform.net.transports.pipe import TooLong
from mcp_platform.upstream_host.lines import LineSplitter

MAX_LINE_BYTES = 4096
"""Bytes of one line in the log."""
LINES_PER_S = 50
"""Lines a second, on average, that one server may put in our log."""
BURST_LINES = 200
"""Lines at once: a traceback or two."""
MIN_SECRET_CHARACTERS = 8
"""A shorter value of the environment (`1`, `true`, `en`) is no secret and would blot out the text."""

_log = Log(__name__)


class StderrLog:
    """The log of one process. `secrets`: values of its environment that must not stand in it."""

    def __init__(self, server: str, secrets: list[str]) -> None:
        self._server = server
        self._secrets = [value for value in secrets if len(value) >= MIN_SECRET_CHARACTERS]
        self._lines = LineSplitter(MAX_LINE_BYTES)
        self._tokens = float(BURST_LINES)
        self._at = clock.monotonic()
        self._left_out = 0

    def feed(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            if self._may():
                self._write(line)
            else:
                self._left_out += 1

    def _may(self) -> bool:
        now = clock.monotonic()
        self._tokens = min(BURST_LINES, self._tokens + (now - self._at) * LINES_PER_S)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _write(self, line: bytes | TooLong) -> None:
        if self._left_out:
            _log.warning("server_stderr_left_out", server=self._server, lines=self._left_out)
            self._left_out = 0
        raw, cut = (line.start, True) if isinstance(line, TooLong) else (line, False)
        text = raw.decode(errors="backslashreplace")
        for secret in self._secrets:
            text = text.replace(secret, "<secret>")
        # The log is JSON, which escapes the controls of ASCII; those of C1 (0x80-0x9f) are as bad on a terminal.
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        _log.info("server_stderr", server=self._server, text=text, **({"cut": True} if cut else {}))

    def close(self) -> None:
        if self._left_out:
            _log.warning("server_stderr_left_out", server=self._server, lines=self._left_out)
            self._left_out = 0
