"""Where a record of this process stands."""

import msgspec


class Position(msgspec.Struct, frozen=True, gc=False):
    """What appending gives back."""

    segment: bytes
    index: int
    number: int
    """Counts the writer's records since it began; positions compare by it."""
