"""How long a call may take: silence has a bound that each sign of life renews, and the whole has one that nothing does.

A sign of life is a message of the upstream about the call; mere bytes are none, so a slow drip renews nothing.
"""

import asyncio
from collections.abc import Callable

from mcp_platform.base.errors import Fault
from mcp_platform.net.upstream_errors import UPSTREAM_TIMEOUT

_HELD_STEP_S = 1.0
"""Seconds between looks at a call that waits for its client."""


class Deadline:
    """Calls `on_expire` with a Fault once; `stop` it when the call ends."""

    __slots__ = ("_end", "_holds", "_loop", "_on_expire", "_silence_s", "_silent_at", "_timer")

    def __init__(self, silence_s: float, most_s: float, on_expire: Callable[[Fault], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._silence_s = silence_s
        self._on_expire = on_expire
        now = self._loop.time()
        self._end = now + most_s
        self._silent_at = now + silence_s
        self._holds = 0
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(min(silence_s, most_s), self._check)

    def alive(self) -> None:
        """The upstream said something about the call."""
        self._silent_at = self._loop.time() + self._silence_s

    def hold(self) -> None:
        """The upstream waits for our side (a question to its client): its silence is not counted."""
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        self.alive()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        now = self._loop.time()
        silent_at = now + _HELD_STEP_S if self._holds else self._silent_at
        until = min(self._end, silent_at)
        if now < until:
            self._timer = self._loop.call_later(max(until - now, 0.001), self._check)
            return
        self._timer = None
        self._on_expire(Fault(UPSTREAM_TIMEOUT))
