"""Calls, callers and credential sources for the tests of the transports."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import pytest

from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.net.transports.links import UpstreamLink, Way
from mcp_platform.net.transports.model import Answer, Call, Caller, Credentials, Link, Listening, Target, Wanted
from mcp_platform.net.transports.watch import Watches

ELICITS = b'{"elicitation":{}}'


@dataclass
class Recorder:
    """A client that remembers what it is told and answers every question the same way."""

    answer: Answer = field(default_factory=lambda: Answer(result=b'{"action":"accept","content":{"colour":"red"}}'))
    said: list[tuple[str, bytes]] = field(default_factory=list)
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None
    """Awaited before each answer."""
    withdrawn: int = 0

    def notify(self, method: str, params: bytes) -> None:
        self.said.append((method, params))

    async def ask(self, method: str, params: bytes) -> Answer:
        self.asked.append((method, params))
        try:
            if self.before is not None:
                await self.before()
        except asyncio.CancelledError:
            self.withdrawn += 1
            raise
        return self.answer


@dataclass
class Ear:
    """A listener that remembers what it is told."""

    told: list[tuple[str, bytes]] = field(default_factory=list)
    renewals: int = 0
    faults: list[Fault] = field(default_factory=list)

    def heard(self, method: str, params: bytes) -> None:
        self.told.append((method, params))

    def renewed(self) -> None:
        self.renewals += 1

    def failed(self, fault: Fault) -> None:
        self.faults.append(fault)

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.told]


_WATCHES: "WeakKeyDictionary[Way, Watches]" = WeakKeyDictionary()
ALL = Wanted(tools=True, prompts=True, resources=True)


async def listening(way: Way | UpstreamLink, ear: Ear, wanted: Wanted = ALL, owner: str | None = None) -> Listening:
    """Listen on behalf of `owner`, who can be asked, or of all."""
    capabilities = b"{}" if owner is None else ELICITS
    if isinstance(way, UpstreamLink):
        return await asyncio.wait_for(way.listen(owner, capabilities, None, wanted, ear), 20)
    attend = functools.partial(way.attend, owner, capabilities, None)
    watches = _WATCHES.setdefault(way, Watches("up_test"))
    return await asyncio.wait_for(watches.listen(attend, wanted, ear), 20)


async def closed(way: Way) -> None:
    """Close the way behind everything that listens there, as the link does that owns both."""
    watches = _WATCHES.pop(way, None)
    if watches is not None:
        await watches.close()
    await way.close()


@dataclass
class Source:
    """Credentials as a broker would give them."""

    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    forgotten: int = 0
    kept: Credentials | None = None

    async def credentials(self, target: Target, principal: str | None) -> Credentials:
        if self.kept is None:
            self.asked += 1
            self.kept = Credentials(dict(self.headers))
        return self.kept

    def forget(self, target: Target, principal: str | None) -> None:
        self.forgotten += 1
        self.kept = None


def tool(name: str, arguments: bytes = b"{}", **fields: object) -> Call:
    """A tools/call."""
    params = b'{"name":"%b","arguments":%b}' % (name.encode(), arguments)
    return Call(method="tools/call", params=params, name=name, **fields)


async def refused(kind: ErrorKind, link: Link, call: Call, caller: Caller | None = None) -> Fault:
    """The call must fail with `kind`, within bounds."""
    with pytest.raises(Fault) as caught:
        await asyncio.wait_for(link.call(call, caller or Recorder()), 20)
    assert caught.value.kind is kind, caught.value
    return caught.value


async def result(link: Link, call: Call, caller: Caller | None = None) -> bytes:
    """The call must succeed; its result."""
    answer = await asyncio.wait_for(link.call(call, caller or Recorder()), 20)
    assert answer.result is not None, answer
    return answer.result
