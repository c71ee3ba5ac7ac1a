"""Processes below us, whoever started them: found in /proc, ended, and reaped.

As process 1 of a process-id namespace we still see the /proc of the one outside: ids there are not the ids that kill(2)
and waitpid(2) know here, so each is translated.
"""

import os
import signal
import time
from pathlib import Path

_PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """Direct children of `pid`, zombies included."""
    found: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            found.extend(map(int, (task / "children").read_text().split()))
    except OSError:
        # Gone meanwhile, or a kernel without CONFIG_PROC_CHILDREN.
        return found or [child for child in _all() if _parent(child) == pid]
    return found


def below(pid: int) -> list[int]:
    """Every descendant of `pid`, nearest first."""
    found: list[int] = []
    level = children(pid)
    while level:
        found.extend(level)
        level = [grandchild for child in level for grandchild in children(child)]
    return found


def own_id() -> int:
    """Our process id as /proc shows it."""
    return int(os.readlink(_PROC / "self"))


def id_here(pid: int) -> int | None:
    """The id in our namespace of the process that /proc shows as `pid`: the last of its NSpid. None: it is gone."""
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return None
    named = [line.split() for line in status.splitlines() if line.startswith("NSpid:")]
    return int(named[0][-1]) if named else pid


def kill_all(timeout_s: float) -> bool:
    """SIGKILL every descendant and reap, again and again because they may fork meanwhile; whether none is left."""
    own = own_id()
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        left = below(own)
        if not left:
            return True
        for pid in left:
            if (found := id_here(pid)) is not None:
                _kill(found)
        _reap_any()
        time.sleep(0.002)
    return not below(own)


def kill_strangers(known: set[int]) -> int:
    """End and reap direct children that we did not start: orphans of servers, which came to us as subreaper."""
    strangers = [found for pid in children(own_id()) if (found := id_here(pid)) is not None and found not in known]
    for pid in strangers:
        _kill(pid)
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue
    return len(strangers)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap_any() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _all() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return 0
    # The command's name stands in parentheses and may hold anything, also parentheses.
    return int(stat.rpartition(")")[2].split()[1])
