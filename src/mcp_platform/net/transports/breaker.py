"""Whether an upstream is worth trying: a circuit that opens after failures to reach it. Pure; `now` is a value.

Closed: calls pass. Open: they are refused at once, until a wait is over that doubles each time. Half open: one call
passes as a probe, and what becomes of it closes the circuit or opens it again.
"""

from dataclasses import dataclass
from enum import Enum

FAILURES = 5
"""Failures in a row to connect or to start that open the circuit: a restart of a server loses a few calls at most."""
FIRST_WAIT_S = 1.0
MAX_WAIT_S = 60.0
"""Seconds a circuit stays open: at first, and at most."""

CLOSED = "closed"
OPEN = "open"
HALF_OPEN = "half_open"


class Verdict(Enum):
    """What a call said about whether its upstream can be reached."""

    REACHED = "reached"
    """It answered, whatever it answered."""
    FAILED = "failed"
    """It could not be reached or did not start."""
    UNKNOWN = "unknown"
    """Neither: the caller gave up, or we were busy."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The right to make one call, to be handed back with what came of it."""

    probe: bool
    period: int


class Breaker:
    """The circuit of one upstream."""

    __slots__ = ("_failures", "_opened", "_period", "_probing", "_until", "is_calm", "usual")

    def __init__(self) -> None:
        self.is_calm = True
        """Whether it is closed and nothing failed lately: then only a failure is news."""
        self._failures = 0
        self._opened = 0
        """How many times in a row it was opened; 0: closed."""
        self._period = 0
        """Changes whenever the circuit does, so that late news of an earlier period is not taken for new."""
        self._probing = False
        self._until = 0.0
        self.usual = Pass(probe=False, period=0)
        """The right to call while it is closed."""

    def admit(self, now: float) -> Pass | None:
        """The right to call, or None where nobody has it now."""
        if not self._opened:
            return self.usual
        if self._probing or now < self._until:
            return None
        self._probing = True
        return Pass(probe=True, period=self._period)

    def wait_s(self, now: float) -> float:
        """Seconds until it makes sense to ask again."""
        return max(0.1, self._until - now) if self._opened else 0.0

    def settle(self, given: Pass, verdict: Verdict, now: float) -> None:
        """Hand a right back."""
        if given.probe and given.period == self._period:
            self._probing = False
        if verdict is Verdict.REACHED:
            self._close()
        elif verdict is Verdict.FAILED and given.period == self._period:
            self._failures += 1
            self.is_calm = False
            if given.probe or self._failures >= FAILURES:
                self._open(now)

    def _close(self) -> None:
        self._failures = 0
        self.is_calm = True
        if self._opened:
            self._opened = 0
            self._probing = False
            self._next_period()

    def _open(self, now: float) -> None:
        self._until = now + min(MAX_WAIT_S, FIRST_WAIT_S * 2 ** min(self._opened, 10))
        self._opened += 1
        self._failures = 0
        self._next_period()

    def _next_period(self) -> None:
        self._period += 1
        self.usual = Pass(probe=False, period=self._period)

    def state(self, now: float) -> str:
        if not self._opened:
            return CLOSED
        return HALF_OPEN if self._probing or now >= self._until else OPEN
