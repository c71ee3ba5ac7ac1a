"""The machine under a bench: which core is whose, and how long processes ran by the scheduler's own accounting."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from tests.journeys.processes import descendants


def cores() -> tuple[int, int]:
    """One core for what is measured, another (where there is one) for what sends and answers."""
    free = sorted(os.sched_getaffinity(0))
    return free[0], free[-1]


MEASURED, BESIDE = cores()
LOOKS_S = 0.6
"""Longer than control rests between two looks at what there is to take in."""
QUIET_S = 0.012
"""What processes that have nothing to do may use in that time."""


def pinned(core: int, line: Sequence[str]) -> list[str]:
    """`line` as a command that stays on `core`, children included."""
    found = shutil.which("taskset")
    return [found, "-c", str(core), *line] if found else list(line)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(process.pid for process in descendants(pid))]


def pin(pids: Sequence[int], core: int) -> None:
    """Keep every thread of running processes on one core."""
    pin_to(pids, {core})


def pin_to(pids: Sequence[int], cores: Collection[int]) -> None:
    """Keep every thread of running processes on these cores."""
    for pid in pids:
        for thread in _threads(pid):
            try:
                os.sched_setaffinity(int(thread.name), cores)
            except ProcessLookupError:
                continue


def cpu_s(pids: Sequence[int]) -> float:
    """Seconds that all threads of `pids` have run so far: waiting for a core does not count, so a busy machine changes
    it only through its caches."""
    return sum(_ran_ns(thread) for pid in pids for thread in _threads(pid)) / 1e9


def settled_cpu_s(pids: Sequence[int], timeout_s: float = 15.0) -> float:
    """As `cpu_s`, once what was left to do is done: control takes the record in when the calls are long over."""
    used = cpu_s(pids)
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        time.sleep(LOOKS_S)
        before, used = used, cpu_s(pids)
        if used - before < QUIET_S:
            break
    return used


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _ran_ns(thread: Path) -> int:
    try:
        return int((thread / "schedstat").read_text().split()[0])
    except OSError:
        return 0


def described() -> dict[str, object]:
    """What the numbers were measured on."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": model[0].partition(":")[2].strip() if model else "unknown",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def version_of(command: str) -> str:
    """What an installed program says of itself, first line."""
    done = subprocess.run([command, "-v"], capture_output=True, text=True, timeout=10, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]
