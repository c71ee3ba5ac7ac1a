"""The targets of the design, each beside what one run measured. What cannot be measured here says why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One target."""

    target: str
    limit: str
    measured: str
    met: bool | None
    """None: not measured."""


def lines(found: Mapping[str, Any]) -> list[Line]:
    """`found`: what `full` in measure.py gives."""
    return [
        *_processor_time(found["closed_loop"]),
        *_throughput(found),
        *_latency(found["latency"]),
        _encrypted(found["encrypted"]),
        _at_most(
            "processor time of a call with two workers, to that with one", found["two_workers"]["ratio"], 1.10, "x"
        ),
        _at_most(
            f"processor time with {found['registered']['registered']:,} tools, keys and roles to that with 10",
            found["registered"]["ratio"],
            1.10,
            "x",
        ),
        _at_most(
            "memory of a worker beyond the shared template (1,000 keys, 500 tools, 256 connections)",
            found["worker_mib"],
            40.0,
            "MiB",
        ),
        *_memory(found["memory"]),
        *_not_here(),
    ]


def _processor_time(loops: Mapping[str, Any]) -> list[Line]:
    made = []
    for durability, most in (("relaxed", 2.5), ("group", 3.5)):
        for connections in ("32", "256"):
            ratio = loops[connections]["ratios"].get(f"gateway, {durability}")
            what = f"processor time of a call at c = {connections}, {durability}, to nginx as a plain proxy"
            made.append(_at_most(what, ratio, most, "x"))
    mixed = loops["mixed"]["ratios"].get("gateway, relaxed")
    what = "the same with results of 300 B to 100 kB, 30 % of them streams, refusals (no TLS on either side)"
    return [*made, _at_most(what, mixed, 3.5, "x")]


def _throughput(found: Mapping[str, Any]) -> list[Line]:
    many = found["closed_loop"]["256"]["candidates"]
    before = found["fastmcp"]
    return [
        _at_least("throughput at c = 256, relaxed, to nginx's", _rates(many, "gateway, relaxed", "nginx"), 0.40, "x"),
        _at_least(
            "throughput before a real FastMCP server, to its own",
            _rates(before, "gateway, relaxed", "FastMCP server, direct"),
            0.85,
            "x",
        ),
    ]


def _latency(latency: Mapping[str, Any]) -> list[Line]:
    if "nginx" not in latency["one"]:
        return []
    plain = latency["one"]["nginx"]["p50_us"]
    added = latency["one"]["gateway, relaxed"]["p50_us"] - plain
    made = [_at_most("p50 at c = 1, relaxed, above nginx's", round(added, 1), 100.0, "µs")]
    sync = latency.get("sync_us")
    if sync is not None:
        more = latency["one"]["gateway, group"]["p50_us"] - plain
        made.append(
            _at_most("p50 at c = 1, group, above nginx's (100 µs and one sync)", round(more, 1), 100 + sync, "µs")
        )
    added_p99 = (latency["many"]["gateway, relaxed"]["p99_us"] - latency["many"]["stub, direct"]["p99_us"]) / 1000
    what = f"p99 at {latency['rate']} requests a second (60 % of our most), above direct"
    return [*made, _at_most(what, round(added_p99, 2), 2.0, "ms")]


def _encrypted(found: Mapping[str, Any] | None) -> Line:
    what = "the same with TLS 1.3 on both sides and 1,000 principals with tokens, to nginx with TLS and auth_request"
    return _at_most(what, None if found is None else found["ratio"], 3.5, "x")


def _memory(memory: Mapping[str, Any]) -> list[Line]:
    left = f"memory that {memory['cycles']:,} clients leave behind who asked and went away, after as many before"
    return [
        _at_most(f"{memory['listeners']:,} idle listeners on one worker", memory["listening_mib"], 300.0, "MiB"),
        _at_most(left, memory["grown_mib"], 1.0, "MiB"),
    ]


def _not_here() -> list[Line]:
    return [Line("each CEL condition", "12 µs", "conditions are not built yet", None)]


def _rates(candidates: Mapping[str, Any], ours: str, theirs: str) -> float | None:
    if ours not in candidates or theirs not in candidates:
        return None
    return round(float(candidates[ours]["requests_a_second"]) / float(candidates[theirs]["requests_a_second"]), 2)


def _at_most(target: str, measured: float | None, limit: float, unit: str) -> Line:
    shown = "not measured" if measured is None else f"{measured:g} {unit}"
    return Line(target, f"at most {limit:g} {unit}", shown, None if measured is None else measured <= limit)


def _at_least(target: str, measured: float | None, limit: float, unit: str) -> Line:
    shown = "not measured" if measured is None else f"{measured:g} {unit}"
    return Line(target, f"at least {limit:g} {unit}", shown, None if measured is None else measured >= limit)
