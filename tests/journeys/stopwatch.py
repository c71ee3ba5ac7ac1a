"""Seconds less what other programs took of the machine: a bound in seconds is one for a machine of one's own.

On an idle machine this is the time that passed. Where others use the processors to three quarters, a quarter of it.
"""

import os
import time
from pathlib import Path

from tests.journeys.processes import descendants


class Stopwatch:
    """Runs from when it is made. Ours is this process and whatever runs below it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._total, self._idle = _machine()
        self._ours = _ours()

    def passed_s(self) -> float:
        return time.monotonic() - self._began

    def share(self) -> float:
        """The part of the processors' time since the beginning that others left to us."""
        total, idle = _machine()
        if total == self._total:
            return 1.0
        used = sum(ticks - self._ours.get(pid, 0) for pid, ticks in _ours().items())
        return min(1.0, (idle - self._idle + used) / (total - self._total))

    def fair_s(self) -> float:
        return self.passed_s() * self.share()


def _machine() -> tuple[int, int]:
    """Clock ticks of all processors: all, and those that nobody used (proc_stat(5))."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    ticks = [int(each) for each in line.split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def _ours() -> dict[int, int]:
    """Clock ticks that each of our processes used."""
    found = {}
    for pid in (os.getpid(), *(process.pid for process in descendants(os.getpid()))):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[pid] = int(fields[11]) + int(fields[12])
    return found
