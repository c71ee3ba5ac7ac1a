"""Times and durations as people write and read them."""

import re
from datetime import UTC, datetime

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
MAX_DURATION_S = 10 * 365 * 86400
"""Ten years: a key that outlives it is one without an end, and should say so."""


def parse_duration(text: str) -> int | None:
    """Seconds in `90d`, `12h`, `30m`, `45s`, `2w`; None where it is none of these or longer than ten years."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    seconds = int(match[1]) * _UNITS[match[2]]
    return seconds if 0 < seconds <= MAX_DURATION_S else None


def moment(at: object, now: float) -> str:
    """`2026-11-22 14:00 UTC (in 3 days)` for epoch seconds or an RFC 3339 text; `-` for None."""
    if at is None:
        return "-"
    if isinstance(at, str):
        return moment(_epoch(at), now)
    if not isinstance(at, int | float):
        return str(at)
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC ({distance(at - now)})"


def _epoch(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def distance(seconds: float) -> str:
    """`in 3 days`, `2 hours ago`, `now`."""
    size = abs(seconds)
    if size < 1:
        return "now"
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if size >= unit:
            count = round(size / unit)
            words = f"{count} {name}{'' if count == 1 else 's'}"
            return f"in {words}" if seconds > 0 else f"{words} ago"
    raise AssertionError("a second or more fits one of the units")
