"""A test that is alone has nobody beside it, and the others share."""

import select
import subprocess
import sys
import uuid
from pathlib import Path

from tests.turns import turn

ROOT = Path(__file__).resolve().parents[1]
ENTER = """
import sys
from tests.turns import turn
print("here", flush=True)
with turn(sys.argv[1], alone=sys.argv[2] == "alone"):
    print("in", flush=True)
    sys.stdin.readline()
"""


class Other:
    """Another process that wants in."""

    def __init__(self, run: str, how: str) -> None:
        line = [sys.executable, "-c", ENTER, run, how]
        self.process = subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"here\n"

    def comes_in(self) -> bool:
        assert self.process.stdout is not None
        return self.process.stdout.readline() == b"in\n"

    def leaves(self) -> None:
        self.process.communicate(b"\n", timeout=20)

    def is_kept_out(self) -> bool:
        assert self.process.stdout is not None
        return not select.select([self.process.stdout], [], [], 0.3)[0]


def test_others_share_the_room() -> None:
    run = uuid.uuid4().hex
    with turn(run, alone=False):
        other = Other(run, "shared")
        assert other.comes_in()
        other.leaves()


def test_nobody_comes_in_beside_one_that_is_alone() -> None:
    run = uuid.uuid4().hex
    with turn(run, alone=True):
        others = [Other(run, "shared"), Other(run, "alone")]
        assert all(other.is_kept_out() for other in others)
    for other in others:
        assert other.comes_in()
        other.leaves()


def test_one_that_waits_to_be_alone_is_not_passed_by() -> None:
    run = uuid.uuid4().hex
    with turn(run, alone=False):
        waiting = Other(run, "alone")
        assert waiting.is_kept_out()
        late = Other(run, "shared")
        assert late.is_kept_out()
    assert waiting.comes_in()
    waiting.leaves()
    assert late.comes_in()
    late.leaves()
