"""A place is what should always be filled by a process of one role; the record of who fills it now."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass

from mcp_platform.supervisor.restart import next_delay_s
from mcp_platform.supervisor.roles import Role


@dataclass(slots=True, eq=False)
class Place:
    """One process that there should be."""

    role: Role
    slot: int | None = None
    pid: int | None = None
    since: float = 0.0
    """Unix time of the last start."""
    restarts: int = 0
    deaths: int = 0
    """How often its process ended unasked."""
    started: float = 0.0
    """Monotonic time of the last start."""
    due: float | None = 0.0
    """Monotonic time of the next start; None while a process fills the place."""
    delay_s: float | None = None
    kill_at: float | None = None
    """Monotonic time at which a process that was asked to end is killed; None: it was not asked."""

    @property
    def name(self) -> str:
        return self.role.name if self.slot is None else f"{self.role.name}-{self.slot}"

    def filled(self, pid: int) -> None:
        if self.started:
            self.restarts += 1
        self.pid, self.since, self.started = pid, time.time(), time.monotonic()
        self.due = self.kill_at = None

    def emptied(self) -> float:
        """Its process ended. Returns the seconds until the next start: none where we asked it to end."""
        now = time.monotonic()
        self.deaths += self.kill_at is None
        self.delay_s = None if self.kill_at is not None else next_delay_s(self.delay_s, now - self.started)
        self.pid = self.kill_at = None
        self.due = now + (self.delay_s or 0.0)
        return self.delay_s or 0.0

    def ask_to_end(self, within_s: float) -> None:
        """SIGTERM now, SIGKILL when the time is up; see drain.kill_late."""
        if self.pid is not None and self.kill_at is None:
            self.kill_at = time.monotonic() + within_s
            self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
