"""Latency of candidates in turns, by `constant_rate.py` in a process of its own on the other core."""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.candidate import Candidate
from tests.bench.machine import BESIDE, pinned

_SENDER = Path(__file__).with_name("constant_rate.py")


def in_turns(
    candidates: Sequence[Candidate],
    mixes: Mapping[str, Path],
    rate: float,
    connections: int,
    seconds: float,
    rounds: int,
) -> dict[str, dict[str, float]]:
    """Median percentiles over the rounds, by candidate."""
    found: dict[str, list[dict[str, float]]] = {candidate.name: [] for candidate in candidates}
    for _ in range(rounds):
        for candidate in candidates:
            found[candidate.name].append(_once(candidate, mixes[candidate.name], rate, connections, seconds))
    return {
        name: {key: round(statistics.median(one[key] for one in each), 1) for key in each[0]}
        for name, each in found.items()
    }


def _once(candidate: Candidate, mix: Path, rate: float, connections: int, seconds: float) -> dict[str, float]:
    line = [sys.executable, str(_SENDER), str(candidate.port), str(rate), str(connections), str(seconds)]
    with mix.open("rb") as requests:
        done = subprocess.run(
            pinned(BESIDE, line), stdin=requests, capture_output=True, check=True, timeout=seconds + 60
        )
    result: dict[str, float] = json.loads(done.stdout)
    return result
