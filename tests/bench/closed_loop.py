"""Closed-loop load: so many connections, each with one request at a time, for so long. By wrk."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.candidate import Candidate
from tests.bench.machine import BESIDE, cpu_s, pinned, settled_cpu_s
from tests.bench.traffic import Request, wire

_SCRIPT = Path(__file__).with_name("replay.lua")


@dataclass(frozen=True, slots=True)
class Round:
    """What one run of the load against one candidate came to."""

    requests: int
    refused: int
    """Answers that were not 2xx."""
    broken: int
    """Connections that failed."""
    cpu_us: float
    """Processor time of the candidate for each request."""
    rate: float
    """Requests a second; it says as much about the machine as about the candidate."""


def available() -> bool:
    """Whether wrk is installed."""
    if shutil.which("wrk"):
        return True
    print("bench: SKIPPED, nothing to send with: wrk is not installed (Debian: apt-get install wrk)", file=sys.stderr)
    return False


def written(path: Path, requests: Sequence[Request], port: int) -> Path:
    """The mix as `replay.lua` reads it: each request behind its length."""
    whole = [wire(request, port) for request in requests]
    path.write_bytes(b"".join(b"%d\n%b" % (len(each), each) for each in whole))
    return path


def run(candidate: Candidate, mix: Path, connections: int, seconds: int) -> Round | None:
    """One round; None where nothing was answered."""
    scheme = "https" if candidate.tls else "http"
    url = f"{scheme}://127.0.0.1:{candidate.port}/mcp"
    line = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "-s",
        str(_SCRIPT),
        url,
        "--",
        str(mix),
    ]
    before = cpu_s(candidate.pids)
    done = subprocess.run(pinned(BESIDE, line), capture_output=True, text=True, timeout=seconds + 60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    used = settled_cpu_s(candidate.pids) - before
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found, done.stdout + done.stderr
    requests = int(found[1])
    if not requests:
        return None
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return Round(
        requests,
        int(refused[1]) if refused else 0,
        sum(map(int, broken.groups())) if broken else 0,
        used / requests * 1e6,
        float(rate[1]) if rate else 0.0,
    )
