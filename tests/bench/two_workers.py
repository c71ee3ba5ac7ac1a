"""What a second worker costs: the same calls to a platform with one worker and to one with two, both free to use both
cores. What sends shares the second core with them, so only processor time is compared, no speed.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench import closed_loop, traffic
from tests.bench.candidate import Candidate
from tests.bench.gateways import gateway
from tests.bench.machine import BESIDE, MEASURED, pin_to
from tests.bench.rounds import in_turns, ratio
from tests.bench.upstreams import stub


def measured() -> dict[str, Any]:
    """Processor time for each call, and the ratio of two workers to one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workers-")))
        behind = stack.enter_context(stub(folder))
        candidates = []
        for workers, name in ((1, "one worker"), (2, "two workers")):
            made = stack.enter_context(gateway(folder / name, behind, "relaxed", 64, workers))
            pin_to(made.pids, {MEASURED, BESIDE})
            candidates.append(Candidate(name, made.port, made.pids, made.credentials))
        mixes = {
            each.name: closed_loop.written(folder / f"{number}.mix", traffic.steady(each.credentials, 2000), each.port)
            for number, each in enumerate(candidates)
        }
        found = in_turns(candidates, mixes, 32, seconds=2, rounds=5)
    return {
        "candidates": {name: series.as_data() for name, series in found.items()},
        "ratio": ratio(found, "two workers", "one worker"),
    }
