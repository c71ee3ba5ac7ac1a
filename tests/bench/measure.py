"""The runs themselves: `quick` for the ratio that says most, `full` for everything that is published."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.bench import (
    budget,
    closed_loop,
    encrypted,
    latency,
    machine,
    memory,
    peers,
    registered,
    traffic,
    two_workers,
)
from tests.bench.candidate import Candidate
from tests.bench.gateways import gateway
from tests.bench.proxies import haproxy, nginx
from tests.bench.rounds import Series, in_turns, ratio
from tests.bench.upstreams import stub

PLAIN = "nginx"


def quick() -> dict[str, Any]:
    """Less than a minute: processor time of a call at 32 connections, ours to nginx's."""
    with _standing(keys=64) as (folder, candidates, _):
        mixes = _mixes(folder, candidates, traffic.steady)
        found = in_turns(candidates, mixes, connections=32, seconds=2, rounds=3)
    return {**_ratios(found), "candidates": _data(found), "machine": machine.described()}


def full() -> dict[str, Any]:
    """Some minutes: everything."""
    with _standing(keys=1000) as (folder, candidates, behind), ExitStack() as stack:
        more = [stack.enter_context(haproxy(folder, behind)), stack.enter_context(_small(folder))]
        everyone = [*candidates, *(each for each in more if each is not None)]
        mixes = _mixes(folder, everyone, traffic.steady)
        at_32 = in_turns(everyone, mixes, connections=32, seconds=2, rounds=4)
        at_256 = in_turns(candidates, mixes, connections=256, seconds=2, rounds=3)
        mixed = in_turns(candidates, _mixes(folder, candidates, traffic.mixed), connections=32, seconds=2, rounds=3)
        direct = Candidate("stub, direct", behind, [], ())
        timed = [direct, *candidates]
        waits = _latencies(timed, _mixes(folder, timed, traffic.steady), at_32, folder)
        worker = _worker_of(next(each for each in candidates if each.name == "gateway, relaxed"))
        memory_of_worker = budget.own_memory_mib(worker)
    loops = {"32": _loop(at_32), "256": _loop(at_256), "mixed": _loop(mixed)}
    return {
        **_ratios(at_32),
        "machine": machine.described(),
        "closed_loop": loops,
        "latency": waits,
        "fastmcp": _before_fastmcp(),
        "record": _record(),
        "encrypted": encrypted.measured(),
        "two_workers": two_workers.measured(),
        "registered": registered.measured(),
        "worker_mib": memory_of_worker,
        "memory": memory.measured(),
        "budget_us": budget.summed(at_32["gateway, relaxed"].median_us),
    }


@contextmanager
def _standing(keys: int) -> Iterator[tuple[Path, list[Candidate], int]]:
    """nginx and us, relaxed and group, over one stub; and its port."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        behind = stack.enter_context(stub(folder))
        plain = stack.enter_context(nginx(folder, behind))
        ours = [
            stack.enter_context(gateway(folder / durability, behind, durability, keys))
            for durability in ("relaxed", "group")
        ]
        yield folder, [each for each in (plain, *ours) if each is not None], behind


@contextmanager
def _small(folder: Path) -> Iterator[Candidate]:
    """Us with little registered: what is registered must not make a call dearer."""
    place = folder / "small"
    place.mkdir()
    with stub(place, 10) as behind, gateway(place / "relaxed", behind, "relaxed", 10) as found:
        yield Candidate(f"{found.name}, 10 tools and keys", found.port, found.pids, found.credentials)


def _mixes(folder: Path, candidates: Sequence[Candidate], made: Any) -> dict[str, Path]:
    found = {}
    for number, each in enumerate(candidates):
        few = each.name.endswith("10 tools and keys")
        requests = made(each.credentials, 2000, tools=10 if few else 500)
        found[each.name] = closed_loop.written(folder / f"{made.__name__}-{number}.mix", requests, each.port)
    return found


def _ratios(found: dict[str, Series]) -> dict[str, float | None]:
    return {
        "cpu_ratio_c32": ratio(found, "gateway, relaxed", PLAIN),
        "cpu_ratio_c32_group": ratio(found, "gateway, group", PLAIN),
    }


def _data(found: dict[str, Series]) -> dict[str, dict[str, object]]:
    return {name: series.as_data() for name, series in found.items()}


def _loop(found: dict[str, Series]) -> dict[str, Any]:
    return {"candidates": _data(found), "ratios": {name: ratio(found, name, PLAIN) for name in found}}


def _latencies(
    timed: Sequence[Candidate], mixes: dict[str, Path], closed: dict[str, Series], folder: Path
) -> dict[str, Any]:
    """One request at a time; and many at 60 % of what we can."""
    most = closed["gateway, relaxed"].as_data()["requests_a_second"]
    rate = max(50, int(float(str(most)) * 0.6))
    return {
        "one": latency.in_turns(timed, mixes, rate=100, connections=1, seconds=2, rounds=2),
        "many": latency.in_turns(timed, mixes, rate=rate, connections=32, seconds=2, rounds=2),
        "rate": rate,
        "sync_us": _sync_us(folder),
    }


def _sync_us(folder: Path) -> float:
    """One sync of this disk after a small write, the median of fifty."""
    taken = []
    with (folder / "synced").open("wb", buffering=0) as file:
        file.write(bytes(1 << 20))
        os.fsync(file.fileno())
        for number in range(50):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 400, number * 400)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return round(sorted(taken)[25] * 1e6, 1)


def _worker_of(candidate: Candidate) -> int:
    """Its gateway worker; processes name themselves."""
    named = {pid: Path(f"/proc/{pid}/comm").read_text() for pid in candidate.pids}
    return next(pid for pid, name in named.items() if "worker" in name)


def _record() -> dict[str, Any]:
    """What each durability costs beside no record at all, in one run."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        behind = stack.enter_context(stub(folder))
        candidates = [
            stack.enter_context(gateway(folder / durability, behind, durability, 64))
            for durability in ("none", "relaxed", "group", "strict")
        ]
        mixes = _mixes(folder, candidates, traffic.steady)
        found = in_turns(candidates, mixes, connections=32, seconds=2, rounds=3)
    ratios = {name: ratio(found, name, "gateway, none") for name in found}
    return {"candidates": _data(found), "ratios": ratios}


def _before_fastmcp() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as made, peers.before_fastmcp(Path(made)) as candidates:
        mixes = {
            each.name: closed_loop.written(Path(made) / f"{number}.mix", peers.additions(each, 500), each.port)
            for number, each in enumerate(candidates)
        }
        return _data(in_turns(candidates, mixes, connections=8, seconds=3, rounds=3))
