"""The wall clock, watched by the monotonic one: a jump of it is a record of its own."""

import time
from collections.abc import Callable
from typing import Final

from mcp_platform.journal.record import ClockJump

JUMP_NS: Final = 500_000_000
"""Nanoseconds. NTP slews what is smaller (ntpd steps from 128 ms, chrony slews 1 s in minutes) and the order of records
does not hang on it."""


class WallClock:
    """What time it is, for records."""

    __slots__ = ("_monotonic", "_offset", "_time")

    def __init__(
        self, time_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._time = time_ns
        self._monotonic = monotonic_ns
        self._offset = time_ns() - monotonic_ns()

    def look(self) -> tuple[int, ClockJump | None]:
        """The time in nanoseconds, and the jump that brought it there, if it did not just pass."""
        now = self._time()
        offset = now - self._monotonic()
        moved = offset - self._offset
        self._offset = offset
        if -JUMP_NS < moved < JUMP_NS:
            return now, None
        return now, ClockJump(before=now - moved, after=now)
