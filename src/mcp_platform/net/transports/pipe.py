"""What carries messages both ways, one after the other, and knows nothing of them: a process's pipes, or HTTP+SSE."""

from dataclasses import dataclass
from typing import Protocol


class Pipe(Protocol):
    """The way to one server."""

    def write(self, line: bytes) -> None:
        """Send one message; it does not wait. Raises Fault(upstream_lost, upstream_busy)."""

    def kill(self) -> None:
        """End it now."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """A message over the ceiling; only its ends are known."""

    start: bytes
    end: bytes
