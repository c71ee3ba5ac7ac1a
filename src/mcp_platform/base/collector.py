"""The garbage collector, told what kind of process this is: one that serves for long, and leaves next to no rings."""

import gc

_YOUNG_OBJECTS = 20_000
"""Objects that may be made more than freed before the collector looks for rings among them. Requests leave none; the
usual 700 makes it look at every few of them, which took 8 % of a worker's time. 20,000 are about 2 MiB."""


def spare() -> None:
    """What is here now stays for good: the collector need not look at it again, nor touch pages that are shared with
    the supervisor's."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
