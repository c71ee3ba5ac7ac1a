"""`./dev bench`: what a call costs, beside what others cost in the same run.

Without --quick it takes some minutes and writes docs/reference/bench.md, its chart and its JSON. With --json the last
line of stdout is one JSON object.
"""

import argparse
import json
import sys

from tests.bench import closed_loop, measure, report, sick_upstreams, targets


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the ratios to nginx; less than a minute")
    parser.add_argument("--sick", action="store_true", help="only what dead and slow servers cost the healthy ones")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--dry", action="store_true", help="write nothing into docs/")
    chosen = parser.parse_args()
    if not closed_loop.available():
        return 3
    out = sys.stderr if chosen.json else sys.stdout
    if chosen.sick:
        result = sick_upstreams.measured()
        print("\n".join(sick_upstreams.lines(result)), file=out)
    elif chosen.quick:
        result = measure.quick()
        print(report.loop_table(result["candidates"]), file=out)
        print(f"to nginx: relaxed {result['cpu_ratio_c32']}, group {result['cpu_ratio_c32_group']}", file=out)
    else:
        result = measure.full()
        print(report.page(result, targets.lines(result)), file=out)
        if not chosen.dry:
            report.keep(result, targets.lines(result))
    if chosen.json:
        print(json.dumps(result, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
