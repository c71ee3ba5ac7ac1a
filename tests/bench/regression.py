"""Whether a call has become dearer than it was: the pipeline's cost in several processes, against the one committed.

Two numbers. Bytecode instructions are the same on every machine. The time in rounds of a yardstick holds what C code
does, too, and is compared only on the kind of processor that it was accepted on: 1.7 rounds on one are 2.5 on another.
`python -m tests.bench.regression` measures; with --keep it also writes what it found as the new baseline, which belongs
in the commit that made the difference, with the reason in its message.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from tests.bench.machine import described

BASELINE = Path(__file__).with_name("pipeline_cost.json")
PROCESSES = 7
"""Where memory lies differs between processes and moves the ratio by 3 %; the median of seven stays within 2 %."""
TOLERANCE = 0.06
"""A tenth dearer is seen, and 2 % of noise is not."""
TOLERANCE_OF_INSTRUCTIONS = 0.03
"""Their number has no noise; a few lines more are no regression."""
_ROOT = Path(__file__).parents[2]


def python() -> str:
    """The interpreter, as far as it moves the numbers."""
    return f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"


def place() -> str:
    """The interpreter and the processor, as far as they move the time."""
    return f"{python()} on {described()['cpu']}"


def measure(planted_rounds: int = 0) -> float:
    """Rounds of the yardstick: the median of PROCESSES, one after the other."""
    return statistics.median(_one(str(planted_rounds)) for _ in range(PROCESSES))


def instructions(planted_rounds: int = 0) -> float:
    """Bytecode instructions of a call."""
    return _one(str(planted_rounds), "instructions")


def _one(*arguments: str) -> float:
    line = [sys.executable, "-m", "tests.bench.pipeline_cost", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return float(subprocess.run(line, env=environment, cwd=_ROOT, check=True, capture_output=True, timeout=120).stdout)


def baseline() -> float | None:
    """The time of a call when it was last accepted; None on a processor that nobody measured on."""
    found: float | None = json.loads(BASELINE.read_text())["yardsticks"].get(place())
    return found


def baseline_of_instructions() -> float | None:
    """None for an interpreter that nobody measured."""
    found: float | None = json.loads(BASELINE.read_text())["instructions"].get(python())
    return found


def is_slower(found: float, accepted: float) -> bool:
    return found > accepted * (1 + TOLERANCE)


def is_more(found: float, accepted: float) -> bool:
    return found > accepted * (1 + TOLERANCE_OF_INSTRUCTIONS)


def main() -> int:
    found, counted = measure(), instructions()
    if "--keep" in sys.argv:
        known = json.loads(BASELINE.read_text())
        known["yardsticks"][place()] = round(found, 3)
        known["instructions"][python()] = counted
        BASELINE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    accepted, accepted_count = baseline(), baseline_of_instructions()
    print(
        json.dumps(
            {
                "place": place(),
                "yardsticks": round(found, 3),
                "accepted_yardsticks": accepted,
                "instructions": counted,
                "accepted_instructions": accepted_count,
            }
        )
    )
    dearer = accepted is not None and is_slower(found, accepted)
    return int(dearer or (accepted_count is not None and is_more(counted, accepted_count)))


if __name__ == "__main__":
    raise SystemExit(main())
