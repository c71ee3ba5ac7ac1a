"""When a process that died is started again. Pure: times in, a delay out."""

FIRST_DELAY_S = 0.05
"""Seconds before the first new try: long enough that a process which cannot start costs little."""
LONGEST_DELAY_S = 2.0
"""Seconds. With the time a process takes to start this stays under the promise of 3 seconds, however often it dies."""
GOOD_LIFE_S = 2.0
"""Seconds after which a life counts as a success and the next death starts at the first delay. Not longer: a healthy
process that is killed from outside every few seconds must come back at once each time."""

MOST_FAILED_STARTS = 5
"""Deaths of one process before the platform was ready for the first time, after which the start is given up: nobody is
served yet, and whoever started it should hear of it."""


def next_delay_s(last_delay_s: float | None, lived_s: float) -> float:
    """Seconds to wait after a life of `lived_s` that itself began after `last_delay_s` (None: the first one)."""
    if last_delay_s is None or lived_s >= GOOD_LIFE_S:
        return FIRST_DELAY_S
    return min(last_delay_s * 2, LONGEST_DELAY_S)
