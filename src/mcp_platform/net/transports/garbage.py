"""What a server writes that is no message. Forgotten debug output is common and harmless, and the SDKs' own clients
skip it too; a server that writes nothing else is none of MCP's, and whoever added it is told what came.
"""

import asyncio
from collections.abc import Callable

from mcp_platform.base.errors import Fault
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE

MAX_LINES = 100
"""Lines in a row that are no messages, before the server is given up."""
MAX_SHOWN_CHARACTERS = 120
"""Characters of the first line that an operator is shown."""
_NOT_ONE = (
    "The server wrote what is no message of MCP, and nothing else; is it an MCP server? "
    "One over stdio writes its messages to stdout, and everything else to stderr."
)


class Garbage:
    """That of one server; `give_up` ends it."""

    def __init__(self, give_up: Callable[[Fault], None]) -> None:
        self._give_up = give_up
        self._in_a_row = 0
        self._first = b""
        self._spoke = False
        self._patience_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def opening(self, patience_s: float) -> None:
        """From its first line that is no message, a server that is being opened has so many seconds for its first
        message."""
        self._patience_s = patience_s
        self._wait()

    def opened(self) -> None:
        """It is open, or that was given up."""
        self._patience_s = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def message(self) -> None:
        """It wrote a message."""
        self._in_a_row = 0
        self._spoke = True

    def line(self, line: bytes) -> bool:
        """It wrote this instead; whether a message stood before it. Enough of them end it."""
        self._in_a_row += 1
        self._first = self._first or line[: 4 * MAX_SHOWN_CHARACTERS]
        self._wait()
        return self._in_a_row == 1

    def judge(self) -> None:
        """Give up a server that wrote too much of it."""
        if self._in_a_row >= MAX_LINES:
            self._give_up(self.fault())

    def fault(self) -> Fault:
        """What is told to whoever waits; of a server that never wrote a message, what it wrote."""
        if self._spoke:
            return Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
        received = self._first.decode(errors="replace").strip()[:MAX_SHOWN_CHARACTERS]
        return Fault(UPSTREAM_GARBAGE, _NOT_ONE, {"stage": "mcp", "received": received})

    def _wait(self) -> None:
        if self._first and self._timer is None and self._patience_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self._patience_s, self._waited)

    def _waited(self) -> None:
        if not self._spoke:
            self._give_up(self.fault())
