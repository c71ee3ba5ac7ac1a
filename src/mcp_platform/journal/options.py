"""How one writer writes: what the settings of `journal` say, and the ceilings nobody sets."""

from dataclasses import dataclass
from typing import Final

OUTCOME_BYTES: Final = 512
"""Bytes kept free for the outcome of every call that was sent; one without content takes under 200."""
MARGIN_BYTES: Final = 4096
"""Bytes never given to calls: the records that end a segment, and clock jumps, fit in it many times."""
PACE_S: Final = 0.001
"""Seconds between the starts of two syncs: 38 µs of CPU a call at 32 at once, against 52 unpaced (measured)."""
RELAXED_S: Final = 0.1
"""Seconds after which what nobody waits for is synced too."""
SLOW_S: Final = 0.25
"""Seconds of a round after which the loop writes nothing itself: on a frozen disk pwrite(2) would hold it."""
RETRY_S: Final = 0.25
"""Seconds between two tries after the disk refused."""


@dataclass(frozen=True, slots=True)
class Options:
    """One writer's."""

    durability: str = "group"
    segment_bytes: int = 64 * 1024 * 1024
    segment_age_s: float = 3600.0
    reserve_bytes: int = 4 * 1024 * 1024
    stall_s: float = 10.0
