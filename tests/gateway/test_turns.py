"""Who waits for a signature: every address has its turn, and nothing that waits grows without end."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import turns
from mcp_platform.gateway.turns import SHARE, Turns


@dataclass
class Asking:
    """One request, as far as its turn goes."""

    address: str = "192.0.2.1"
    body: bytes = b""
    gone: bool = False
    method: str = "POST"
    path: str = "/mcp"
    headers: dict[str, str] = field(default_factory=dict)
    started: bool = False
    also: bytes = b""
    waiting_bytes: int = 0
    callbacks: list[Callable[[], None]] = field(default_factory=list)

    def on_gone(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def leave(self) -> None:
        self.gone = True
        for callback in self.callbacks:
            callback()

    def reply(
        self, status: int, body: bytes = b"", content_type: str = "application/json", extra: bytes = b""
    ) -> None: ...
    def start(self, status: int, content_type: str, extra: bytes = b"") -> None: ...
    def write(self, data: bytes) -> None: ...
    def end(self) -> None: ...
    async def drain(self) -> None: ...


def busy() -> None:
    """Some 0.2 ms of work."""
    until = time.perf_counter() + 0.0002
    while time.perf_counter() < until:
        pass


def outcome(task: "asyncio.Task[object]") -> str:
    error = task.exception()
    return error.kind.code if isinstance(error, Fault) else "done"


@pytest.mark.anyio
async def test_addresses_take_turns_and_those_of_one_come_in_order() -> None:
    waiting, order = Turns(), list[str]()

    def ask(address: str, name: str) -> "asyncio.Task[None]":
        return asyncio.create_task(waiting.take(Asking(address), lambda: order.append(name)))

    flood = [ask("192.0.2.1", f"a{number}") for number in range(5)]
    others = [ask("198.51.100.2", "b0"), ask("2001:db8::1", "c0"), ask("2001:db8::2", "c1")]
    await asyncio.gather(*flood, *others)
    assert order == ["a0", "b0", "c0", "a1", "c1", "a2", "a3", "a4"]
    assert waiting.waiting == 0


@pytest.mark.anyio
async def test_a_flood_gets_its_share_of_the_time_and_no_more() -> None:
    waiting = Turns()
    began, used = time.monotonic(), time.thread_time()
    await asyncio.gather(*(waiting.take(Asking(), busy) for _ in range(300)))
    took, used = time.monotonic() - began, time.thread_time() - used
    assert used < took * (SHARE + 0.2), f"{used:.3f} s of {took:.3f} s"


@pytest.mark.anyio
async def test_the_loop_is_free_between() -> None:
    waiting, longest = Turns(), 0.0
    flood = [asyncio.create_task(waiting.take(Asking(), busy)) for _ in range(200)]
    while not all(each.done() for each in flood):
        before = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - before)
    assert longest < 0.02


@pytest.mark.anyio
async def test_what_the_work_raises_is_raised_where_it_was_asked() -> None:
    def refused() -> None:
        raise LookupError("no such key")

    with pytest.raises(LookupError, match="no such key"):
        await Turns().take(Asking(), refused)


@pytest.mark.anyio
async def test_a_client_that_left_has_no_turn() -> None:
    waiting, worked, asking = Turns(), list[int](), Asking()
    first = asyncio.create_task(waiting.take(asking, lambda: worked.append(1)))
    await asyncio.sleep(0)
    asking.leave()
    await asyncio.wait([first])
    assert outcome(first) == "address_limited"
    assert (worked, waiting.waiting) == ([], 0)


@pytest.mark.anyio
async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_WAIT_S", 0.05)
    monkeypatch.setattr(turns, "SHARE", 0.0)
    monkeypatch.setattr(turns, "MAX_AT_ONCE_S", 0.0)
    waiting = Turns()
    with pytest.raises(Fault) as refused:
        await waiting.take(Asking(), busy)
    assert (refused.value.kind.code, refused.value.retry_after_s) == ("address_limited", 1.0)
    assert waiting.waiting == 0


@pytest.mark.anyio
async def test_of_too_many_bytes_the_largest_body_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_WAITING_BYTES", 1000)
    waiting = Turns()
    sizes = (10, 600, 300, 700, 20)
    asked = [asyncio.create_task(waiting.take(Asking(body=bytes(size)), busy)) for size in sizes]
    await asyncio.wait(asked)
    assert [outcome(each) for each in asked] == ["done", "done", "done", "address_limited", "done"]
