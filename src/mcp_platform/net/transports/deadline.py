"""How long a call may take: silence has a bound that each sign of life renews, and the whole has one that nothing does.

A sign of life is a message of the upstream about the call; mere bytes are none, so a slow drip renews nothing.
A timer for each call costs more than the call's own check, so one timer of the loop looks at all of them in rounds.
"""

import asyncio
from collections.abc import Callable

from mcp_platform.base.errors import Fault
from mcp_platform.net.upstream_errors import UPSTREAM_TIMEOUT

_HELD_STEP_S = 1.0
"""Seconds between looks at a call that waits for its client."""
STEP_S = 0.1
"""Seconds between two rounds: how late a call may be found to have taken too long."""
SHORT_S = 2.0
"""Seconds below which a call has a timer of its own, because a round would come too late."""


class _Rounds:
    """The deadlines of one loop that are looked at together."""

    __slots__ = ("_loop", "running")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.running: set[Deadline] = set()
        loop.call_later(STEP_S, self._look)

    def _look(self) -> None:
        if not self.running:
            del _rounds[self._loop]
            return
        self._loop.call_later(STEP_S, self._look)
        now = self._loop.time()
        for deadline in list(self.running):
            deadline.check(now)


_rounds: dict[asyncio.AbstractEventLoop, _Rounds] = {}
"""By loop; gone a moment after its last deadline."""


class Deadline:
    """Calls `on_expire` with a Fault once; `stop` it when the call ends."""

    __slots__ = ("_end", "_expired", "_holds", "_loop", "_on_expire", "_rounds", "_silence_s", "_silent_at", "_timer")

    def __init__(self, silence_s: float, most_s: float, on_expire: Callable[[Fault], None]) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._silence_s = silence_s
        self._on_expire = on_expire
        now = loop.time()
        self._end = now + most_s
        self._silent_at = now + silence_s
        self._holds = 0
        self._expired: Fault | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rounds: _Rounds | None = None
        if silence_s < SHORT_S or most_s < SHORT_S:
            self._timer = loop.call_later(min(silence_s, most_s), self._on_time)
            return
        rounds = _rounds.get(loop)
        if rounds is None:
            rounds = _rounds[loop] = _Rounds(loop)
        self._rounds = rounds
        rounds.running.add(self)

    def lead_to(self, on_expire: Callable[[Fault], None]) -> None:
        """What is waited for changed: the call goes on over another exchange."""
        self._on_expire = on_expire
        if self._expired is not None:
            on_expire(self._expired)

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
        if self._rounds is not None:
            self._rounds.running.discard(self)
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def check(self, now: float) -> float:
        """Expire if it is time; the moment until which it is not."""
        silent_at = now + _HELD_STEP_S if self._holds else self._silent_at
        until = min(self._end, silent_at)
        if now >= until:
            self.stop()
            self._expired = Fault(UPSTREAM_TIMEOUT)
            self._on_expire(self._expired)
        return until

    def _on_time(self) -> None:
        self._timer = None
        now = self._loop.time()
        until = self.check(now)
        if now < until:
            self._timer = self._loop.call_later(max(until - now, 0.001), self._on_time)
