"""The order of system calls is the promise: what is on the disk before what leaves the process, seen by strace(1)."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("one_call.py")
LINE = re.compile(r"^\d+ +(?:<\.\.\. )?(pwrite64|fdatasync|write)(.*)$")


def steps(data: Path, durability: str) -> list[str]:
    """What happened, in order: `intent` and `outcome` written, `synced`, and the marks."""
    (data / "journal").mkdir(parents=True)
    trace = data / "trace"
    calls = "trace=pwrite64,fdatasync,write"
    subprocess.run(
        [
            "strace",
            "-f",
            "-s",
            "4096",
            "-e",
            calls,
            "-o",
            str(trace),
            sys.executable,
            str(SCRIPT),
            str(data),
            durability,
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    found: list[str] = []
    for line in trace.read_text().splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        call, rest = match.groups()
        if call == "write" and "MARK " in rest:
            found.append(rest.split("MARK ")[1].split("\\n")[0])
        elif call == "pwrite64" and "the-intent" in rest and "the-outcome" not in rest:
            found.append("intent")
        elif call == "pwrite64" and "the-outcome" in rest:
            found.append("outcome")
        elif call == "fdatasync" and "unfinished" not in rest and "= 0" in rest:
            found.append("synced")
    return found[found.index("begin") + 1 : found.index("answered") + 1]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace(1) is not installed")
@pytest.mark.parametrize(
    ("durability", "expected"),
    [
        ("strict", ["intent", "synced", "sent", "outcome", "synced", "answered"]),
        ("group", ["intent", "sent", "outcome", "synced", "answered"]),
        ("relaxed", ["intent", "sent", "outcome", "answered"]),
    ],
)
def test_nothing_leaves_before_what_it_rests_on(durability: str, expected: list[str], tmp_path: Path) -> None:
    """Issue: a trace of system calls shows the order."""
    assert steps(tmp_path / "data", durability) == expected
