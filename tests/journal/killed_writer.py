"""Writes a journal under load and is killed, again and again: a warm parent forks each life and ends it with SIGKILL.

`python killed_writer.py DATA DURABILITY KILLS SEED` prints one JSON line for each life: which calls were executed and
which were answered, as far as the world outside saw.
"""

import asyncio
import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

import uvloop

from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.journal import place
from mcp_platform.journal.calls import CallJournal
from mcp_platform.journal.options import Options
from mcp_platform.journal.record import Intent
from mcp_platform.journal.subjects import SubjectKeys
from mcp_platform.journal.writer import JournalWriter

CALLERS = 16
LONGEST_S = 0.12


async def live(data: Path, durability: str, life: int, pipe: int) -> None:
    options = Options(durability, segment_bytes=20_000, reserve_bytes=65_536)
    writer = JournalWriter(data / "journal", "plt_0123456789abcdef", place.worker(0), options)
    writer.start()
    journal = CallJournal(writer, SubjectKeys(DataFolder(data), bytes(64)), "none")

    async def call(caller: int) -> None:
        number = 0
        while True:
            number += 1
            trace = f"{life}-{caller}-{number}"
            try:
                ticket = await journal.intent(Intent(trace=trace, principal="p", tool="t"))
            except Fault:
                continue
            os.write(pipe, f"e {trace}\n".encode())  # from here on the upstream may have seen it
            await asyncio.sleep(0)
            await ticket.outcome("ok")
            os.write(pipe, f"a {trace}\n".encode())  # from here on the client may have seen it

    await asyncio.gather(*(call(each) for each in range(CALLERS)))


def one_life(data: Path, durability: str, life: int, for_s: float) -> dict[str, list[str]]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        uvloop.run(live(data, durability, life, writing))
        os._exit(0)
    os.close(writing)
    said, deadline, killed = b"", time.monotonic() + for_s, False
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()) if not killed else None)
        if not ready:
            os.kill(child, signal.SIGKILL)
            killed = True
            continue
        more = os.read(reading, 1 << 20)
        if not more:
            break
        said += more
        if not killed and time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            killed = True
    os.close(reading)
    os.waitpid(child, 0)
    lines = [line.split(" ") for line in said.decode().splitlines()]
    return {
        "executed": [trace for kind, trace in lines if kind == "e"],
        "answered": [trace for kind, trace in lines if kind == "a"],
    }


def main() -> None:
    data, durability, kills, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    chance = random.Random(seed)
    for life in range(kills):
        print(json.dumps(one_life(data, durability, life, chance.uniform(0.001, LONGEST_S))), flush=True)


if __name__ == "__main__":
    main()
