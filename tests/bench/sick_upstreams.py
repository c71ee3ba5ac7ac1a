"""What sick servers cost the healthy ones: two platforms with fifty servers, one of them with five that are dead and
five that are slow, called in turns for their healthy tools alone. Meanwhile callers of the second keep asking for the
sick ones, too.
"""

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.bench import closed_loop, latency, traffic
from tests.bench.candidate import Candidate
from tests.bench.gateways import over_servers
from tests.bench.machine import BESIDE, pinned
from tests.bench.upstreams import HERE, stub, tools
from tests.journeys.platform import modern_request

SERVERS, DEAD, SLOW = 50, 5, 5
PAIRS = 7
CONNECTIONS = 32
SECONDS = 2
RATE = 200
"""Requests a second when times are taken: far from what either could take."""
TOOLS_EACH = 4
SLOW_S = 1.0
ASK_EVERY_S = 0.5
"""Seconds between two calls of each sick server's caller."""


def measured() -> dict[str, Any]:
    """Ratios of neighbouring rounds, sick to well, of processor time and of the median time."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sick-")))
        well, sick = stack.enter_context(_both(folder))
        candidates = (well, sick)
        mixes = {
            each.name: closed_loop.written(folder / f"{number}.mix", _healthy(each), each.port)
            for number, each in enumerate(candidates)
        }
        with _asked_for_the_sick(sick):
            cpu: list[float] = []
            times: list[float] = []
            for number in range(PAIRS + 1):
                rounds = [closed_loop.run(each, mixes[each.name], CONNECTIONS, SECONDS) for each in candidates]
                timed = latency.in_turns(candidates, mixes, RATE, 4, SECONDS, 1)
                assert all(each is not None and not each.refused for each in rounds), rounds
                if number:  # the first pair warms up
                    cpu.append(rounds[1].cpu_us / rounds[0].cpu_us)  # type: ignore[union-attr]  # asserted above
                    times.append(timed[sick.name]["p50_us"] / timed[well.name]["p50_us"])
    return {
        "servers": SERVERS,
        "dead": DEAD,
        "slow": SLOW,
        "pairs": PAIRS,
        "cpu_ratio": round(statistics.median(cpu), 3),
        "p50_ratio": round(statistics.median(times), 3),
        "cpu_ratios": [round(each, 3) for each in cpu],
        "p50_ratios": [round(each, 3) for each in times],
    }


@contextmanager
def _both(folder: Path) -> Iterator[tuple[Candidate, Candidate]]:
    """The platform without sick servers, and the one with them."""
    with ExitStack() as stack:
        healthy = SERVERS - DEAD - SLOW
        behind = stack.enter_context(stub(folder, TOOLS_EACH))
        servers = {f"well-{number}": behind for number in range(healthy)}
        well = stack.enter_context(over_servers(folder / "well", "well", servers))
        dying = [stack.enter_context(_server(folder, 0.0, number)) for number in range(DEAD)]
        slow = [stack.enter_context(_server(folder, SLOW_S, DEAD + number)) for number in range(SLOW)]
        servers.update({f"dead-{number}": port for number, (port, _) in enumerate(dying)})
        servers.update({f"slow-{number}": port for number, (port, _) in enumerate(slow)})
        sick = stack.enter_context(over_servers(folder / "sick", "sick", servers))
        for _, process in dying:
            process.kill()
            process.wait()
        yield well, sick


@contextmanager
def _server(folder: Path, wait_s: float, number: int) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """A stub that waits before it answers a call, and can be killed."""
    offered = folder / f"tools-{number}.json"
    offered.write_text(json.dumps([{**tool, "name": f"sick_{number}"} for tool in tools(1)]))
    line = [sys.executable, str(HERE / "stub.py"), str(offered), str(wait_s)]
    with subprocess.Popen(pinned(BESIDE, line), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None, "a pipe was asked for"
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


def _healthy(candidate: Candidate) -> list[traffic.Request]:
    """Calls to the tools of the healthy servers, another one each time."""
    names = [f"lookup_{tool}" for tool in range(TOOLS_EACH)]
    named = [f"well-{number}.{name}" for number in range(1, SERVERS - DEAD - SLOW) for name in names]
    return [traffic.called(tool, {"record": "r1", "fields": []}, candidate.credentials[0]) for tool in [*names, *named]]


@contextmanager
def _asked_for_the_sick(candidate: Candidate) -> Iterator[None]:
    """Somebody calls each sick server all the while, from the other core."""
    ended = threading.Event()
    threads = [
        threading.Thread(target=_ask, args=(candidate, f"sick_{number}", ended)) for number in range(DEAD + SLOW)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _ask(candidate: Candidate, tool: str, ended: threading.Event) -> None:
    while not ended.wait(ASK_EVERY_S):
        body, headers = modern_request("tools/call", {"name": tool, "arguments": {"record": "r1"}}, None)
        connection = http.client.HTTPConnection("127.0.0.1", candidate.port, timeout=30)
        try:
            connection.request("POST", "/mcp", body, {**headers, "Authorization": candidate.credentials[0]})
            connection.getresponse().read()
        finally:
            connection.close()


def lines(result: dict[str, Any]) -> list[str]:
    """For people."""
    return [
        f"{SERVERS} servers, {DEAD} of them dead and {SLOW} slow, beside {SERVERS - DEAD - SLOW} healthy ones alone; "
        f"{PAIRS} pairs of rounds:",
        f"  processor time of a call to a healthy one: {result['cpu_ratio']} times (goal: within 1.10)",
        f"  median time at {RATE} calls a second:      {result['p50_ratio']} times (goal: within 1.10)",
    ]
