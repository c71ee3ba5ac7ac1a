"""`./dev bench`: what a call costs, beside what others cost in the same run. See docs/explanation/performance.md.

With --json the last line of stdout is one JSON object; with --quick all of it takes less than a minute.
"""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import closed_loop, machine, traffic
from tests.bench.gateways import gateway
from tests.bench.proxies import nginx
from tests.bench.rounds import Series, in_turns, ratio
from tests.bench.upstreams import stub


def quick() -> dict[str, object]:
    """The ratio that says most: processor time of a call at 32 connections, ours to nginx's."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        behind = stack.enter_context(stub(folder))
        plain = stack.enter_context(nginx(folder, behind))
        ours = [
            stack.enter_context(gateway(folder / durability, behind, durability, keys=64))
            for durability in ("relaxed", "group")
        ]
        candidates = [each for each in (plain, *ours) if each is not None]
        mixes = {
            each.name: closed_loop.written(folder / f"{number}.mix", traffic.steady(each.credentials, 1000), each.port)
            for number, each in enumerate(candidates)
        }
        found = in_turns(candidates, mixes, connections=32, seconds=2, rounds=4)
    return {
        "cpu_ratio_c32": _rounded(ratio(found, "gateway, relaxed", "nginx")),
        "cpu_ratio_c32_group": _rounded(ratio(found, "gateway, group", "nginx")),
        "candidates": {name: series.as_data() for name, series in found.items()},
        "machine": machine.described(),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def show(found: dict[str, Series]) -> None:
    for name, series in found.items():
        print(f"  {name:24} {series.median_us:7.1f} µs")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the ratios to nginx; less than a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    chosen = parser.parse_args()
    if not closed_loop.available():
        return 3
    result = quick()
    for name, data in result["candidates"].items():  # type: ignore[attr-defined]  # a dictionary of dictionaries
        print(f"{name:20} {data}", file=sys.stderr)
    if chosen.json:
        print(json.dumps(result, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
