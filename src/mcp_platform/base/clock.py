"""Time, in one place, so that a decision takes `now` as a value and a test can say what time it is."""

import time
from datetime import UTC, datetime


def now() -> float:
    """Seconds since the epoch, UTC."""
    return time.time()


def monotonic() -> float:
    """Seconds on a clock that never goes back; only differences mean anything."""
    return time.monotonic()


def rfc3339(at: float) -> str:
    """`at` (epoch seconds) as an RFC 3339 timestamp in UTC with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
