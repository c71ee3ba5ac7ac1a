"""Replaces processes one after the other, so that at every moment the others serve."""

import time
from collections import deque
from collections.abc import Callable, Iterable

from mcp_platform.supervisor.places import Place

_SETTLE_S = 20.0
"""Seconds beyond its time to end that a place may be without a process that serves; then the rest is left as it is."""


class Roll:
    """The places that a reload has still to fill anew."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._waiting = deque(places)
        self._restarts = 0
        self._late_at = 0.0
        self.current: Place | None = None
        """The one under way."""

    def step(self, ask_to_end: Callable[[Place], float], settled: Callable[[Place], bool]) -> bool:
        """Go on as far as possible; False when all is done.

        `ask_to_end` says how many seconds it gives, `settled` whether the successor serves.
        """
        while True:
            if self.current is not None:
                if self.current.restarts == self._restarts or not settled(self.current):
                    return True
                self.current = None
            if not self._waiting:
                return False
            self.current = self._waiting.popleft()
            self._restarts = self.current.restarts
            self._late_at = time.monotonic() + ask_to_end(self.current) + _SETTLE_S

    @property
    def is_stuck(self) -> bool:
        """Whether the one under way has not served again in its time: replacing more would make it worse."""
        return self.current is not None and time.monotonic() > self._late_at
