"""What the straight line costs without sockets, in the time of a fixed piece of Python in the same process.

Absolute times tell machines apart; this ratio tells versions of the code apart, on any machine and a busy one: the two
are timed in turns, by processor time, and the best of many short turns is what nothing disturbed.
"""

import dataclasses
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import msgspec
import uvloop

from mcp_platform.base.config import Settings
from mcp_platform.features.apikeys import check as apikeys
from mcp_platform.features.apikeys.model import KeyRow
from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.rbac.model import MEMBER
from mcp_platform.features.upstreams.model import ToolRow, UpstreamRow
from mcp_platform.gateway import pipeline
from mcp_platform.gateway.hub import Hub
from mcp_platform.gateway.schemas import Schemas
from mcp_platform.gateway.world import World
from mcp_platform.net.transports.model import Answer, Call, Caller
from mcp_platform.snapshot.model import Snapshot
from tests.bench.upstreams import tools
from tests.journeys.platform import modern_request

TURNS = 300
CALLS = 40
"""In one turn: about 1 ms, so that many turns fall between two interruptions."""
_MAC_KEY = b"m" * 32
_RESULT = b'{"content":[{"type":"text","text":"' + b"x" * 200 + b'"}],"isError":false,"resultType":"complete"}'


class _Exchange:
    """A request whose answer goes nowhere."""

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self.method, self.path, self.query, self.headers, self.body = "POST", "/mcp", "", headers, body
        self.address, self.also, self.status = "127.0.0.1", b"", 0
        self.gone = self.started = False
        self.waiting_bytes = 0

    def reply(self, status: int, body: bytes = b"", content_type: str = "", extra: bytes = b"") -> None:
        self.started, self.status = True, status

    def on_gone(self, callback: Callable[[], None]) -> None:
        """The client never leaves."""


class _Link:
    async def call(self, call: Call, caller: Caller) -> Answer:
        return Answer(result=_RESULT, era="modern")


class _Links:
    def link(self, target: object) -> _Link:
        return _Link()

    def keep(self, upstreams: object) -> None:
        """There is nothing to let go of."""


class _Ticket:
    async def outcome(self, outcome: str, *, error: str = "", result: bytes = b"") -> None:
        """Nobody reads it."""

    def note(self, outcome: str, *, error: str = "") -> None:
        """Nobody reads it."""


class _Journal:
    async def intent(self, intent: object, arguments: bytes = b"") -> _Ticket:
        return _Ticket()

    def refusal(self, refusal: object) -> None:
        """Nobody reads it."""

    def answered(self, record: object) -> None:
        """Nobody reads it."""


async def line() -> Callable[[], Awaitable[None]]:
    """One call of a tool through the whole pipeline, everything around it replaced by nothing."""
    world, key = await _world()
    arguments = {"record": "r1", "fields": ["name", "age"]}
    body, given = modern_request("tools/call", {"name": "lookup_0", "arguments": arguments}, key)
    headers = {name.lower(): value for name, value in given.items()} | {"host": "127.0.0.1"}

    async def once() -> None:
        exchange = _Exchange(headers, body)
        await pipeline.serve(world, exchange)
        assert exchange.status == 200, "what is timed must be what is meant"

    await once()
    return once


async def _world() -> tuple[World, str]:
    key = apikeys.generate()
    row = KeyRow(key[5:17], apikeys.mac(_MAC_KEY, key), "prn_a", "agent", None, None)
    schema = json.dumps(tools(1)[0]["inputSchema"]).encode()
    tool = ToolRow("srv", "stub", "lookup_0", "lookup_0", b"{}", "h", schema)
    upstream = UpstreamRow("srv", "stub", "http", "http://127.0.0.1/mcp", 1, False, True, 60.0, 1 << 20, era="modern")
    principal = PrincipalRow("prn_a", "a", "person", "d", ("member",))
    found: dict[str, Any] = {
        "revision": 1,
        "keys": ({row.id: row},),
        "principals": ({"prn_a": principal},),
        "roles": {"member": MEMBER},
        "upstreams": {"srv": upstream},
        "tools": {"lookup_0": tool},
    }
    snapshot = Snapshot(*found.values())
    nothing: dict[str, Any] = dict.fromkeys(_needed(World))
    nothing.update(settings=Settings(), slot=0, mac_key=_MAC_KEY, schemas=Schemas(), links=_Links())
    nothing.update(journal=_Journal(), hub=Hub(nothing["links"], per_principal=1), resource="http://127.0.0.1/mcp")
    world = World(**nothing)
    await world.take(snapshot)
    world.heard_at = float("inf")
    return world, key


def _needed(kind: type) -> list[str]:
    fields = kind.__dataclass_fields__  # type: ignore[attr-defined]  # World is a dataclass
    return [name for name, field in fields.items() if not _has_default(field)]


def _has_default(field: Any) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


_decode, _encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode


def yardstick(times: int) -> int:
    """A fixed mix of what the pipeline is made of: calls, attributes, dictionaries, strings, JSON."""
    total = 0
    for number in range(times):
        held = {"name": f"tool_{number & 63}", "size": number, "list": [number, "a", None]}
        value = _decode(_encode(held))
        for name, each in value.items():
            if isinstance(each, str) and name.startswith("n"):
                total += len(each.upper().partition("_")[2])
        total += sum(1 for _ in filter(None, value["list"]))
    return total


async def measured(call: Callable[[], Awaitable[None]], turns: int = TURNS) -> float:
    """The time of a call in rounds of the yardstick: each by its undisturbed turns, the tenth part that was fastest."""
    calls, rounds = [], []
    gc.disable()
    for _ in range(turns):
        began = time.thread_time_ns()
        for _ in range(CALLS):
            await call()
        between = time.thread_time_ns()
        yardstick(CALLS * 8)
        calls.append(between - began)
        rounds.append(time.thread_time_ns() - between)
    gc.enable()
    fast = max(1, turns // 10)
    return sum(sorted(calls)[:fast]) / sum(sorted(rounds)[:fast])


def slower(call: Callable[[], Awaitable[None]], by_rounds: int) -> Callable[[], Awaitable[None]]:
    """`call` with a planted slowdown."""

    async def both() -> None:
        await call()
        yardstick(by_rounds)

    return both


async def instructions(call: Callable[[], Awaitable[None]]) -> float:
    """Bytecode instructions of a call: the same number on every machine. What C code does is not in it."""
    counted = 0

    def local(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal counted
        counted += event == "opcode"
        return local

    def begins(frame: FrameType, _event: str, _argument: object) -> Any:
        frame.f_trace_opcodes = True
        return local

    await call()  # what is made once is made
    sys.settrace(begins)
    try:
        for _ in range(CALLS):
            await call()
    finally:
        sys.settrace(None)
    return counted / CALLS


def main(planted: int, *, counts: bool) -> None:
    """Print what one process found."""

    async def run() -> float:
        call = slower(await line(), planted) if planted else await line()
        return await (instructions(call) if counts else measured(call))

    print(uvloop.run(run()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0, counts=sys.argv[2:] == ["instructions"])
