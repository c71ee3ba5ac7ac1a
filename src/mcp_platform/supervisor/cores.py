"""How many workers a machine carries: the cores this process may use, and no more than a container's quota pays for."""

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def quota_cores(text: str) -> int | None:
    """Cores that a cgroup v2 `cpu.max` line (`QUOTA PERIOD` in microseconds, or `max PERIOD`) pays for; None: all."""
    parts = text.split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) == 0:
        return None
    return max(1, math.ceil(int(parts[0]) / int(parts[1])))


def usable_cores() -> int:
    cores = len(os.sched_getaffinity(0))
    try:
        quota = quota_cores(_QUOTA.read_text())
    except OSError:
        quota = None
    return min(cores, quota or cores)
