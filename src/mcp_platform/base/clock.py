"""Time, in one place, so that a decision takes `now` as a value and a test can say what time it is."""

import time
from datetime import UTC, datetime

now = time.time
"""Seconds since the epoch, UTC."""

monotonic = time.monotonic
"""Seconds on a clock that never goes back; only differences mean anything. Asked ten times a call, so by no detour."""


def rfc3339(at: float) -> str:
    """`at` (epoch seconds) as an RFC 3339 timestamp in UTC with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
