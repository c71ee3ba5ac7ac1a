"""A program for tests: processes take from one meter as fast as they can. Prints how many each was granted.

`meter_hammer.py WORKERS TRIES COUNT`.
"""

import json
import os
import sys

from mcp_platform.features.ratelimit.model import LimitRow
from mcp_platform.gateway.meter import Meter


def buckets(meter: Meter, count: int) -> list:
    """One bucket of a day that has `count`, and three that never refuse."""
    wide = [LimitRow(f"wide{number}", "principal", 10**8, 1.0, 10**8) for number in range(3)]
    rules = [*wide, LimitRow("daily", "principal", count, 86_400.0, count)]
    return [meter.bucket(rule, b"ana", b"a", shown=False) for rule in rules]


def main() -> None:
    workers, tries, count = map(int, sys.argv[1:4])
    memory = Meter.make()
    go, started = os.pipe()
    results, result = os.pipe()
    for _ in range(workers):
        if os.fork() == 0:
            os.close(started)
            meter = Meter(memory)
            wanted = buckets(meter, count)
            os.read(go, 1)  # end of file: all begin at once
            granted = sum(meter.take(wanted).refused_by is None for _ in range(tries))
            os.write(result, b"%d\n" % granted)
            os._exit(0)
    os.close(started)
    for _ in range(workers):
        os.wait()
    os.close(result)
    with os.fdopen(results) as lines:
        print(json.dumps([int(line) for line in lines]))


if __name__ == "__main__":
    main()
