"""Replaces processes one after the other, so that at every moment the others serve."""

from collections import deque
from collections.abc import Callable, Iterable

from mcp_platform.supervisor.places import Place


class Roll:
    """The places that a reload has still to fill anew."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._waiting = deque(places)
        self._current: Place | None = None
        self._restarts = 0

    def step(self, end: Callable[[Place], None], settled: Callable[[Place], bool]) -> bool:
        """Go on as far as possible; False when all is done. `end` asks a process to end, `settled` whether its
        successor serves."""
        while True:
            if self._current is not None:
                if self._current.restarts == self._restarts or not settled(self._current):
                    return True
                self._current = None
            if not self._waiting:
                return False
            self._current = self._waiting.popleft()
            self._restarts = self._current.restarts
            end(self._current)
