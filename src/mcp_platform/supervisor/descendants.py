"""Finds and ends the children of a process that no record knows of: what a dead upstream-host left behind."""

import contextlib
import os
import signal
from collections.abc import Container
from pathlib import Path


def children_of(parent: int) -> list[int]:
    """Process ids whose parent is `parent`, the dead that wait to be reaped included."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it ended while we looked
            after_name = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            if int(after_name[1]) == parent:
                found.append(int(entry.name))
    return found


def kill_strangers(known: Container[int | None]) -> int:
    """Kill each child of this process that is not `known`; returns how many. Theirs come to us next: call again."""
    strangers = [pid for pid in children_of(os.getpid()) if pid not in known]
    for pid in strangers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(strangers)


def clear() -> None:
    """Kill and reap until this process has no child left."""
    while kill_strangers(known=()):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
