"""Lets a test that measures time have the machine to itself, though the tests run on all cores.

A test marked `alone` waits until the tests under way in other processes are done, and no other starts meanwhile.
Two locks: whoever wants in takes its turn at the door; ordinary tests then share the room, `alone` has it whole.
"""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest


@contextmanager
def turn(run: str, *, alone: bool) -> Iterator[None]:
    """Hold the room of the test run `run`: whole, or shared with others that do not want it whole."""
    folder = Path(tempfile.gettempdir())
    with (folder / f"tests-{run}.door").open("w") as door, (folder / f"tests-{run}.room").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            _leave(door)
        try:
            yield
        finally:
            _leave(room)
            _leave(door)


def _leave(lock: IO[str]) -> None:
    """By hand: a process that the test left behind may hold the same open file."""
    fcntl.flock(lock, fcntl.LOCK_UN)


class Turns:
    """A plugin for one process of a parallel run."""

    def __init__(self, run: str) -> None:
        self.run = run

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        with turn(self.run, alone=item.get_closest_marker("alone") is not None):
            return (yield)
