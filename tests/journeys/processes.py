"""Live processes by what the kernel says of them, so that a test ends only what it started."""

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """One process, told from a later one with the same id by when it started."""

    pid: int
    started: int
    """Clock ticks after boot."""
    line: str

    def is_alive(self) -> bool:
        now = process_table().get(self.pid)
        return now is not None and now[1].started == self.started

    def kill(self) -> None:
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)


def process_table() -> dict[int, tuple[int, Process]]:
    """Every live process by id, with its parent's id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            before, _, after = (entry / "stat").read_text().rpartition(")")
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        state, parent, *rest = after.split()
        if state not in "ZX":
            name = before.partition("(")[2]
            process = Process(int(entry.name), int(rest[17]), f"{name}: {line}")
            found[process.pid] = (int(parent), process)
    return found


def descendants(ancestor: int) -> list[Process]:
    """Live processes below `ancestor`, parents before their children."""
    table = process_table()
    found: list[Process] = []
    parents = {ancestor}
    while parents:
        below = [process for parent, process in table.values() if parent in parents]
        found += below
        parents = {process.pid for process in below}
    return found


def kill_and_see_dead(victims: Iterable[int], followers: Iterable[int] = (), timeout_s: float = 3.0) -> None:
    """SIGKILL `victims`, and wait until they and the `followers`, who die of it, are dead to their last thread.

    A process whose first thread is a zombie may still hold its sockets, because the other threads share them. Its
    descriptor tells the end of all (pidfd_open(2)).
    """
    victims = list(victims)
    with ExitStack() as stack:
        living = {}
        for pid in {*victims, *followers}:
            with suppress(ProcessLookupError):
                living[os.pidfd_open(pid)] = pid
        for descriptor in living:
            stack.callback(os.close, descriptor)
        for descriptor, pid in living.items():
            if pid in victims:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        until = time.monotonic() + timeout_s
        while living:
            ended, _, _ = select.select(living, [], [], max(0.0, until - time.monotonic()))
            assert ended, f"still alive: {sorted(living.values())}"
            for descriptor in ended:
                del living[descriptor]
