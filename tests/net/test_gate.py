"""Connection counts hold over every worker, and a dead worker holds nothing."""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_platform.net.gate import Entry, Gate
from tests.net.http_peer import Peer, connected

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PROGRAM = Path(__file__).parent / "gate_workers.py"


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate.make(3, max_connections=64, max_per_address=5)
    made.join(0)
    yield made
    made.close()


def test_an_address_has_a_ceiling_and_gets_its_places_back(gate: Gate) -> None:
    assert [gate.enter("192.0.2.1") for _ in range(6)] == [Entry.OPEN] * 5 + [Entry.ADDRESS_FULL]
    assert gate.enter("192.0.2.2") is Entry.OPEN
    gate.leave("192.0.2.1")
    assert gate.held("192.0.2.1") == 4
    assert gate.enter("192.0.2.1") is Entry.OPEN


def test_all_together_have_a_ceiling(gate: Gate) -> None:
    assert all(gate.enter(f"192.0.2.{number}") is Entry.OPEN for number in range(64))
    assert gate.enter("198.51.100.1") is Entry.ALL_FULL
    assert gate.enter("") is Entry.ALL_FULL


def test_a_unix_socket_counts_in_all_and_for_no_address(gate: Gate) -> None:
    assert [gate.enter("") for _ in range(20)] == [Entry.OPEN] * 20
    assert gate.share().mine == 20
    gate.leave("")
    assert gate.share().mine == 19


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::1", "127.0.0.1", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_ipv6_counts_by_64_bits_and_mapped_ipv4_as_ipv4(gate: Gate, one: str, other: str, same: bool) -> None:
    gate.enter(one)
    assert gate.held(other) == (1 if same else 0)


def test_counts_are_right_after_any_sequence_and_any_death() -> None:
    """Against a plain dictionary, in a table so small that addresses stand in each other's places."""
    chance = random.Random(4)
    gate = Gate.make(3, max_connections=16, max_per_address=4)
    truth: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for _ in range(4000):
        slot = chance.randrange(3)
        gate._slot = slot  # this one process plays all three workers
        address = f"192.0.2.{chance.randrange(24)}"
        held = sum(each[address] for each in truth)
        action = chance.random()
        if action < 0.55:
            expected = (
                Entry.ALL_FULL
                if sum(map(Counter.total, truth)) >= 16
                else Entry.ADDRESS_FULL
                if held >= 4
                else Entry.OPEN
            )
            assert gate.enter(address) is expected
            truth[slot][address] += expected is Entry.OPEN
        elif action < 0.98 and truth[slot][address]:
            gate.leave(address)
            truth[slot][address] -= 1
        elif action > 0.995:
            gate.forget(slot)
            truth[slot].clear()
        assert gate.held(address) == sum(each[address] for each in truth)
        assert gate.share().total == sum(map(Counter.total, truth))
    gate.close()


async def test_four_processes_at_once_admit_exactly_the_ceiling() -> None:
    """Without the lock they admit more, or lose counts (1,719 of 1,000 in the design's trial)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM.with_name("gate_hammer.py")), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    said = json.loads(output)
    assert sum(said["inside"]) == said["held"] == said["total"] == 8000


def test_a_worker_that_died_in_the_middle_of_a_change_leaves_a_sound_table(gate: Gate) -> None:
    gate.enter("192.0.2.1")
    place = gate._find(gate._map[_only(gate) : _only(gate) + 16])
    row = gate._map[place : place + gate._place_bytes]
    after = gate._table_at + ((place - gate._table_at) // gate._place_bytes + 1) % gate._places * gate._place_bytes
    gate._map[after : after + gate._place_bytes] = row  # it was moving this row
    gate.join(1)
    gate.forget(2)
    assert gate.held("192.0.2.1") == 1
    gate._slot = 0
    gate.leave("192.0.2.1")
    gate.forget(2)
    assert not any(gate._map[gate._table_at :]), "nothing is left"


def _only(gate: Gate) -> int:
    return next(place for place in gate._all_places() if any(gate._map[place : place + 16]))


@dataclass
class Workers:
    where: tuple[str, int]
    pids: list[int]
    process: asyncio.subprocess.Process

    async def kill(self, slot: int) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        os.kill(self.pids[slot], signal.SIGKILL)
        self.process.stdin.write(b"forget %d\n" % slot)
        assert json.loads(await asyncio.wait_for(self.process.stdout.readline(), 5)) == {"forgotten": slot}


@asynccontextmanager
async def workers(count: int, max_connections: int, max_per_address: int) -> AsyncIterator[Workers]:
    arguments = [str(PROGRAM), str(count), str(max_connections), str(max_per_address)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = json.loads(await asyncio.wait_for(process.stdout.readline(), 10))
        yield Workers(("127.0.0.1", said["port"]), said["pids"], process)
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 10)


async def slot_of(stack: AsyncExitStack, where: tuple[str, int]) -> tuple[Peer, str]:
    """Open a connection and learn who serves it: a slot, or the code of a refusal."""
    peer = await stack.enter_async_context(connected(where))
    await peer.send(GET)
    answer = await peer.answer()
    return peer, answer.body.decode() if answer.status == 200 else answer.code


async def test_two_workers_share_one_ceiling_for_an_address() -> None:
    async with workers(2, 100, 10) as running, AsyncExitStack() as stack:
        slots = [(await slot_of(stack, running.where))[1] for _ in range(12)]
        assert slots[10:] == ["http_address_connections"] * 2
        assert set(slots[:10]) == {"0", "1"}, "both took some"


async def test_what_a_killed_worker_held_is_free_again() -> None:
    async with workers(2, 100, 10) as running, AsyncExitStack() as stack:
        slots = [(await slot_of(stack, running.where))[1] for _ in range(10)]
        assert (await slot_of(stack, running.where))[1] == "http_address_connections"
        await running.kill(0)
        again = [(await slot_of(stack, running.where))[1] for _ in range(slots.count("0"))]
        assert set(again) == {"1"}
        assert (await slot_of(stack, running.where))[1] == "http_address_connections"


async def test_a_burst_that_one_worker_sees_first_is_left_to_the_others() -> None:
    """Left alone, 32 connections over 4 workers fell 32/0/0/0 (measured on this design's first trial)."""
    async with workers(4, 100, 100) as running, AsyncExitStack() as stack:
        for pid in running.pids[1:]:
            os.kill(pid, signal.SIGSTOP)
        try:
            burst = [asyncio.create_task(slot_of(stack, running.where)) for _ in range(40)]
            await asyncio.wait(burst, return_when=asyncio.FIRST_COMPLETED, timeout=5)
        finally:
            for pid in running.pids[1:]:
                os.kill(pid, signal.SIGCONT)
        slots = Counter([slot for _, slot in await asyncio.wait_for(asyncio.gather(*burst), 10)])
        assert slots["0"] <= 20
        assert len(slots) > 1


async def test_a_worker_that_hangs_strands_no_connection() -> None:
    async with workers(2, 1000, 1000) as running, AsyncExitStack() as stack:
        os.kill(running.pids[0], signal.SIGSTOP)
        try:
            slots = [(await slot_of(stack, running.where))[1] for _ in range(40)]
        finally:
            os.kill(running.pids[0], signal.SIGCONT)
        assert set(slots) == {"1"}
        later = [(await slot_of(stack, running.where))[1] for _ in range(60)]
        assert later.count("0") > 20, "once it runs again it takes what it has less of"


async def test_a_worker_whose_client_leaves_counts_down() -> None:
    async with workers(2, 100, 3) as running, asyncio.timeout(10):
        for _ in range(10):
            async with AsyncExitStack() as stack:
                for _ in range(3):
                    while (await slot_of(stack, running.where))[1] not in "01":
                        pass  # the workers have not noticed yet that the earlier clients left
