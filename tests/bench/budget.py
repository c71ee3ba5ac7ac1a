"""Where the time of a call goes: each step timed alone in one process, and what is left of the measured total.

What is left is the sockets, the event loop, the tasks and everything that only happens under load.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from mcp_platform.base.config.settings import Http
from mcp_platform.features.validation.check import ArgumentSchema
from mcp_platform.journal.chain import FIRST, frame
from mcp_platform.journal.record import Intent, Outcome, encode
from mcp_platform.net.http_memory import HeadMemory
from mcp_platform.net.transports import messages
from mcp_platform.net.transports.model import Call
from mcp_platform.wire import jsonrpc, modern
from tests.bench import pipeline_cost, traffic
from tests.bench.upstreams import tools

TURNS, TIMES = 60, 200


def best_us(step: Callable[[int], object]) -> float:
    """Microseconds of one step, undisturbed."""
    best = float("inf")
    for _ in range(TURNS):
        began = time.thread_time_ns()
        for number in range(TIMES):
            step(number)
        best = min(best, time.thread_time_ns() - began)
    return best / TIMES / 1000


def steps() -> dict[str, float]:
    """Microseconds of each step, in the order of a call."""
    requests = traffic.steady(("Bearer " + "x" * 61,), TIMES)
    heads = [traffic.wire(each, 8080).partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for each in requests]
    memory = HeadMemory(Http())
    bodies = [each.body for each in requests]
    parsed = [jsonrpc.parse(body) for body in bodies]
    headers = [{name.lower(): value for name, value in each.headers.items()} for each in requests]
    schema = ArgumentSchema(_schema())
    arguments = [each.params["arguments"] for each in parsed]
    call = Call(method="tools/call", params=b'{"name":"lookup_1","arguments":{"record":"r1"}}', name="lookup_1")
    answer = messages.request(1, "x", b"{}").replace(b'"method":"x","params":', b'"result":')
    line_us = uvloop.run(_line_us())
    found = {
        "read the head": best_us(lambda n: memory.read(heads[n])),
        "parse the message, refuse duplicates": best_us(lambda n: jsonrpc.parse(bodies[n])),
        "hold headers and body together": best_us(lambda n: modern.check(parsed[n], headers[n])),
        "check the arguments": best_us(lambda n: schema.check(arguments[n])),
        "encode and chain two records": best_us(_records),
        "say it to the upstream, read its answer": best_us(lambda n: _upstream(call, answer)),
    }
    inside = ("parse the message, refuse duplicates", "hold headers and body together", "check the arguments")
    rest = "key, limits, role, route, answer"
    found[rest] = max(0.0, line_us - sum(found[name] for name in inside))
    return {name: round(us, 2) for name, us in found.items()}


def summed(total_us: float) -> dict[str, float]:
    """The budget of a call that takes `total_us`: its entries sum to it."""
    found = steps()
    return {**found, "sockets, event loop, kernel, control": round(total_us - sum(found.values()), 2)}


def _schema() -> bytes:
    return json.dumps(tools(1)[0]["inputSchema"]).encode()


def _records(number: int) -> None:
    intent = Intent(trace="0" * 32, principal="prn_a", agent="a", server="stub", tool="lookup_1", decision="allow")
    _, link = frame(FIRST, encode(intent))
    frame(link, encode(Outcome(trace="0" * 32, outcome="ok", error="", latency_us=number, response_bytes=300)))


def _upstream(call: Call, answer: bytes) -> None:
    messages.modern_request(1, call)
    messages.answer(messages.parse(answer), "modern")


async def _line_us() -> float:
    once = await pipeline_cost.line()
    best = float("inf")
    for _ in range(TURNS):
        began = time.thread_time_ns()
        for _ in range(TIMES):
            await once()
        best = min(best, time.thread_time_ns() - began)
    return best / TIMES / 1000


def memory_mib(pid: int) -> float:
    """Proportional memory of a process: pages that it shares count by their share."""
    return _mib(pid, ("Pss",))


def own_memory_mib(pid: int) -> float:
    """Memory that a process shares with no other: what a worker takes beyond the template that it came from."""
    return _mib(pid, ("Private_Clean", "Private_Dirty"))


def _mib(pid: int, names: tuple[str, ...]) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.split()[0].rstrip(":"): int(line.split()[1]) for line in lines}
    return round(sum(kib[name] for name in names) / 1024, 1)
