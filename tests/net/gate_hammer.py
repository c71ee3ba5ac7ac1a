"""A program for tests: four forked processes enter one gate as fast as they can. Prints how many each got in."""

import json
import os
import time

from mcp_platform.net.gate import Entry, Gate

WORKERS = 4
TRIES = 6000


def main() -> None:
    gate = Gate.make(WORKERS, max_connections=8192, max_per_address=8000)
    go, started = os.pipe()
    results, result = os.pipe()
    for slot in range(WORKERS):
        if os.fork() == 0:
            os.close(started)
            gate.join(slot)
            os.read(go, 1)  # end of file: all begin at once
            inside = sum(gate.enter("192.0.2.1") is Entry.OPEN for _ in range(TRIES))
            os.write(result, b"%d\n" % inside)
            os._exit(0)
    while gate.share().workers < WORKERS:
        time.sleep(0.005)
    os.close(started)
    for _ in range(WORKERS):
        os.wait()
    os.close(result)
    with os.fdopen(results) as lines:
        inside = [int(line) for line in lines]
    print(json.dumps({"inside": inside, "held": gate.held("192.0.2.1"), "total": gate.share().total}))


if __name__ == "__main__":
    main()
