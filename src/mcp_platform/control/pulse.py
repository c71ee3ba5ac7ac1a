"""When a server is looked at next, and whether to say that it is not reached. Pure: the time is given.

One failure says nothing: it is asked again at once. A server that comes and goes is called stale longer each time, so
that nobody is told of every turn.
"""

from dataclasses import dataclass

FIRST_WAIT_S = 2.0
"""Seconds after the first failure."""
CEILING = 4
"""Times the usual interval between two looks at a server that stays down."""
FAILURES = 2
"""In a row, before it is said."""
FLAPPING_S = 600.0
"""Seconds within which a server that is stale again is one that comes and goes."""
FIRST_HOLD_S = 10.0
MAX_HOLD_S = 300.0
"""Seconds that the mark stays on such a one after it is back: first, doubled each time, and at most."""
HINT_BURST = 16
"""Lists in a row that a server gets at once because it says that something changed: somebody adds and removes tools,
and each change is heard by control and by a worker."""
HINT_REGAIN_S = 4.0
"""Seconds in which one of them is regained."""
HINT_PAUSE_S = 1.0
MAX_HINT_PAUSE_S = 60.0
"""Seconds between two lists because a server said that something changed, once the burst is spent: first, doubled with
each while it goes on saying so, and at most."""


@dataclass(slots=True)
class Pulse:
    """What is remembered of one server."""

    usual_s: float
    """Between two looks at a server that is well."""
    stale: bool = False
    """Whether it is said now that the server is not reached."""
    failures: int = 0
    marked_at: float = float("-inf")
    flaps: int = 0
    burst: float = HINT_BURST
    pause_s: float = 0.0
    hinted_at: float = float("-inf")

    def failed(self, now: float) -> bool:
        """Whether it is to be said from now on that the server is not reached."""
        self.failures += 1
        if self.stale or self.failures < FAILURES:
            return False
        self.flaps = self.flaps + 1 if now - self.marked_at < FLAPPING_S else 0
        self.marked_at = now
        self.stale = True
        return True

    def well(self, now: float) -> bool:
        """Whether the mark is to go, where there is one."""
        self.failures = 0
        if not self.stale or now < self.held_until:
            return False
        self.stale = False
        return True

    @property
    def held_until(self) -> float:
        """Before this the mark stays."""
        if not self.flaps:
            return self.marked_at
        return self.marked_at + min(MAX_HOLD_S, FIRST_HOLD_S * 2.0 ** min(self.flaps - 1, 10))

    def wait_s(self) -> float:
        """Until the next look."""
        if not self.failures:
            return self.usual_s
        first = min(FIRST_WAIT_S, self.usual_s)
        return min(CEILING * self.usual_s, first * 2.0 ** min(self.failures - 1, 20))

    def hinted(self, now: float) -> float:
        """The server says that something changed: seconds to wait before it is listed."""
        since = now - self.hinted_at
        if since > MAX_HINT_PAUSE_S:
            self.burst, self.pause_s = HINT_BURST, 0.0
        self.burst = min(HINT_BURST, self.burst + max(0.0, since) / HINT_REGAIN_S)
        if self.burst >= 1.0:
            self.burst -= 1.0
            self.hinted_at = max(now, self.hinted_at)
            return self.hinted_at - now
        wait_s = max(0.0, self.pause_s - since)
        self.pause_s = min(MAX_HINT_PAUSE_S, max(HINT_PAUSE_S, self.pause_s * 2))
        self.hinted_at = now + wait_s
        return wait_s
