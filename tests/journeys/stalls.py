"""Two ways to make a disk stall under a running platform, so that the kernel itself waits.

`frozen_device`: a file system on a loop device whose file lies on another file system. While that is frozen (FIFREEZE),
whatever is to reach the device waits, and comes when it thaws. Needs root and loop devices. `slowed_syscalls`: strace
holds every sync of the platform's processes at its entry. Needs strace and the right to trace.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.journeys.platform import Platform

TOOLS = ("fsfreeze", "mkfs.ext4", "mount", "umount")
OUTER_BYTES = 320 << 20
INNER_BYTES = 256 << 20
LONGEST_S = 600
"""Longer than any test stalls."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A disk that can be made to stall."""

    folder: Path
    """On the disk."""
    begin: Callable[[Platform], None]
    end: Callable[[], None]


def run(*line: str) -> None:
    subprocess.run(line, check=True, capture_output=True, timeout=60)


@contextmanager
def frozen_device(folder: Path) -> Iterator[Stall | None]:
    """None where this machine cannot make one."""
    if os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS):
        yield None
        return
    with ExitStack() as stack:
        try:
            below = _mounted(stack, folder / "below.img", folder / "below", OUTER_BYTES)
            device = _mounted(stack, below / "device.img", folder / "device", INNER_BYTES)
        except (subprocess.CalledProcessError, OSError):
            yield None
            return
        stack.callback(subprocess.run, ["fsfreeze", "-u", str(below)], capture_output=True, check=False)
        yield Stall(
            device, begin=lambda _: run("fsfreeze", "-f", str(below)), end=lambda: run("fsfreeze", "-u", str(below))
        )


def _mounted(stack: ExitStack, image: Path, place: Path, size: int) -> Path:
    with image.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    run("mkfs.ext4", "-q", "-F", str(image))
    place.mkdir()
    run("mount", "-o", "loop", str(image), str(place))
    stack.callback(subprocess.run, ["umount", "-l", str(place)], capture_output=True, check=False)
    return place


@contextmanager
def slowed_syscalls(folder: Path) -> Iterator[Stall | None]:
    """None where this machine lets nobody trace."""
    may = subprocess.run(["strace", "-o", "/dev/null", "true"], check=False) if shutil.which("strace") else None
    if may is None or may.returncode:
        yield None
        return
    tracers: list[subprocess.Popen[str]] = []

    def begin(platform: Platform) -> None:
        held = f"inject=fsync,fdatasync:delay_enter={LONGEST_S}s"
        pids = [part for pid in platform.pids().values() for part in ("-p", str(pid))]
        line = ["strace", "-f", "-o", "/dev/null", "-e", held, *pids]
        tracer = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
        tracers.append(tracer)
        assert tracer.stderr is not None
        for _ in platform.pids():
            assert "attached" in tracer.stderr.readline()

    def end() -> None:
        tracers[-1].send_signal(signal.SIGINT)
        tracers[-1].communicate(timeout=20)

    try:
        yield Stall(folder / "disk", begin, end)
    finally:
        for tracer in tracers:
            with suppress(ProcessLookupError):
                tracer.kill()
            tracer.wait()
