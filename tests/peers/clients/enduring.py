"""What the enduring Python clients share: one order per line on stdin, one outcome per line on stdout.

An order is `[[TOOL, ARGUMENTS, EXPECTED TEXT], …]`. Each call is tried again until it is right, as a user's program
would, for PATIENCE_S at most. A session that the client library ends is opened anew, and counted.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

PATIENCE_S = 15.0
"""Seconds until an order is given up; above what any test allows, so that the test says who was late."""
TRY_S = 1.5
"""Seconds one try may take, and opening a session: a library that lost its answer may wait for ever."""
PAUSE_S = 0.05

Call = Callable[[str, dict[str, Any]], Awaitable[str]]
"""Calls a tool of the open session and gives its text; raises on whatever is no right answer."""
Open = Callable[[], AbstractAsyncContextManager[Call]]


class Orders:
    """The order under way, and what it has needed so far."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines
        self._left: list[list[Any]] = []
        self._began = 0.0
        self._failures: list[str] = []
        self.sessions = 0

    async def carry_out(self, call: Call) -> None:
        """Order after order, until stdin ends."""
        while self._left or await self._next():
            tool, arguments, expected = self._left[0]
            try:
                text = await asyncio.wait_for(call(tool, arguments), TRY_S)
                if text != expected:
                    raise ValueError(f"{tool} answered {text!r}")
            except Exception as error:
                await self.failed(error)
                continue
            del self._left[0]
            if not self._left:
                self._say(ok=True)

    async def failed(self, error: BaseException) -> None:
        self._failures += [f"{type(leaf).__name__}: {leaf}" for leaf in leaves(error)]
        if self._left and time.monotonic() - self._began > PATIENCE_S:
            self._left.clear()
            self._say(ok=False)
        await asyncio.sleep(PAUSE_S)

    async def _next(self) -> bool:
        line = await self._lines.readline()  # keeps what it read when the library cancels us here
        if line:
            self._left = json.loads(line)
            self._began = time.monotonic()
        return bool(line)

    def _say(self, *, ok: bool) -> None:
        took_s = time.monotonic() - self._began
        outcome = {"ok": ok, "took_s": took_s, "sessions": self.sessions, "failures": self._failures}
        self._failures = []
        print(json.dumps(outcome), flush=True)


def leaves(error: BaseException) -> list[BaseException]:
    inner = getattr(error, "exceptions", ())
    return [leaf for part in inner for leaf in leaves(part)] if inner else [error]


async def endure(open_session: Open) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    orders = Orders(lines)
    while True:
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(TRY_S):
                    call = await stack.enter_async_context(open_session())
                orders.sessions += 1
                await orders.carry_out(call)
                return
        except Exception as error:  # what a library's session ended with, or that it could not be opened
            await orders.failed(error)
