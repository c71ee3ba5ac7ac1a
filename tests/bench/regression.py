"""Whether a call has become dearer than it was: the pipeline's cost in several processes, against the one committed.

`python -m tests.bench.regression` measures; with --keep it also writes what it found as the new baseline, which belongs
in the commit that made the difference, with the reason in its message.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

BASELINE = Path(__file__).with_name("pipeline_cost.json")
PROCESSES = 7
"""Where memory lies differs between processes and moves the ratio by 3 %; the median of seven stays within 2 %."""
TOLERANCE = 0.06
"""A tenth dearer is seen, and 2 % of noise is not."""
_ROOT = Path(__file__).parents[2]


def python() -> str:
    """The interpreter, as far as it moves the ratio."""
    return f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"


def measure(planted_rounds: int = 0) -> float:
    """The median of PROCESSES, one after the other."""
    line = [sys.executable, "-m", "tests.bench.pipeline_cost", str(planted_rounds)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    found = [
        float(subprocess.run(line, env=environment, cwd=_ROOT, check=True, capture_output=True, timeout=120).stdout)
        for _ in range(PROCESSES)
    ]
    return statistics.median(found)


def baseline() -> float | None:
    """What a call cost when it was last accepted; None for an interpreter that nobody measured."""
    known: dict[str, float] = json.loads(BASELINE.read_text())
    return known.get(python())


def is_slower(found: float, accepted: float) -> bool:
    return found > accepted * (1 + TOLERANCE)


def main() -> int:
    found = measure()
    if "--keep" in sys.argv:
        known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
        BASELINE.write_text(json.dumps({**known, python(): round(found, 3)}, indent=2, sort_keys=True) + "\n")
    accepted = baseline()
    print(json.dumps({"python": python(), "cost": round(found, 3), "accepted": accepted, "tolerance": TOLERANCE}))
    return int(accepted is not None and is_slower(found, accepted))


if __name__ == "__main__":
    raise SystemExit(main())
