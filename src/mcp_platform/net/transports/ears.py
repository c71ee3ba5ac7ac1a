"""Who listens at one legacy session (2024-11-05 … 2025-11-25), and what is subscribed there on their behalf.

A session may be shared: each resource is subscribed once however many want it, and each ear hears only its own.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.transports.model import Answer, Call, Listener, Wanted
from mcp_platform.net.transports.offers import CHANGES, Offers, is_heard, subject_of
from mcp_platform.net.upstream_errors import UPSTREAM_LOST

SUBSCRIBE_S = 10.0
"""Seconds a server may take to note a subscription."""

_log = Log(__name__)
Ask = Callable[[Call], Awaitable[Answer]]


class Ears:
    """The ears of one session. The session tells what it heard, and once that it ended."""

    def __init__(self, ask: Ask) -> None:
        self.offers = Offers()
        self.changing = asyncio.Lock()
        self._ask = ask
        self._open: set[LegacyEar] = set()
        self._subscribed: dict[str, int] = {}
        self._parting: set[asyncio.Task[None]] = set()
        self._ended: Fault | None = None

    def __len__(self) -> int:
        return len(self._open)

    async def add(self, wanted: Wanted, listener: Listener) -> "LegacyEar":
        """Raises Fault(upstream_*)."""
        ear = LegacyEar(self, listener)
        self._open.add(ear)
        try:
            if self._ended is not None:
                raise self._ended
            await ear.want(wanted)
        except BaseException:
            self._drop(ear)
            raise
        return ear

    def heard(self, method: str, params: bytes) -> None:
        """A notification of the server that belongs to no call."""
        if not self._open:
            return
        subject = subject_of(method, params)
        if subject is not None:
            for ear in list(self._open):
                ear.hear(method, params, subject)

    def missed(self) -> None:
        """Something may have been said that did not arrive."""
        for ear in list(self._open):
            ear.listener.renewed()

    def end(self, fault: Fault | None) -> None:
        """The session is over, and its subscriptions with it."""
        self._ended = fault or Fault(UPSTREAM_LOST)
        self._subscribed.clear()
        for parting in list(self._parting):
            parting.cancel()
        for ear in list(self._open):
            if not ear.broken.done():
                ear.broken.set_result(fault)
        self._open.clear()

    async def subscribe(self, uri: str) -> bool:
        """False where the server refuses. Raises Fault(upstream_*)."""
        count = self._subscribed.get(uri, 0)
        if not count and not await self._change("resources/subscribe", uri):
            return False
        self._subscribed[uri] = count + 1
        return True

    async def unsubscribe(self, uris: frozenset[str]) -> None:
        for uri in uris:
            count = self._subscribed.get(uri, 0)
            if count > 1:
                self._subscribed[uri] = count - 1
            elif count:
                del self._subscribed[uri]
                try:
                    await self._change("resources/unsubscribe", uri)
                except Fault as fault:
                    _log.debug("not_unsubscribed", code=fault.kind.code)

    async def _change(self, method: str, uri: str) -> bool:
        if self._ended is not None:
            raise self._ended
        params = msgspec.json.encode({"uri": uri})
        answer = await self._ask(Call(method=method, params=params, timeout_s=SUBSCRIBE_S))
        return answer.result is not None

    def part(self, ear: "LegacyEar") -> None:
        """An ear was closed: what it alone wanted is unsubscribed."""
        self._drop(ear)
        self.give_back(ear.honoured.uris)

    def give_back(self, uris: frozenset[str]) -> None:
        """One who wanted these resources no longer does; nobody waits for the server to hear of it."""
        if uris and self._ended is None:
            task = asyncio.get_running_loop().create_task(self._part(uris))
            self._parting.add(task)
            task.add_done_callback(self._parting.discard)

    async def _part(self, uris: frozenset[str]) -> None:
        """A task root; each request in it has its bound."""
        async with self.changing:
            await self.unsubscribe(uris)

    def _drop(self, ear: "LegacyEar") -> None:
        self._open.discard(ear)
        if not ear.broken.done():
            ear.broken.cancel()


class LegacyEar:
    """One ear of a session."""

    def __init__(self, ears: Ears, listener: Listener) -> None:
        self.honoured = Wanted()
        self.listener = listener
        self.broken: asyncio.Future[Fault | None] = asyncio.get_running_loop().create_future()
        self._ears = ears
        self._hoped = Wanted()

    def hear(self, method: str, params: bytes, subject: str) -> None:
        # What was just asked for may come with the answer that grants it.
        wants = is_heard(self.honoured, method, subject) or is_heard(self._hoped, method, subject)
        if wants or method not in CHANGES:
            self.listener.heard(method, params)

    async def want(self, wanted: Wanted) -> None:
        """Raises Fault(upstream_*); then what was honoured still is."""
        async with self._ears.changing:
            offered = self._hoped = self._ears.offers.of(wanted)
            kept = self.honoured.uris & offered.uris
            taken: set[str] = set()
            try:
                for uri in sorted(offered.uris - kept):
                    if await self._ears.subscribe(uri):
                        taken.add(uri)
            except BaseException:
                self._hoped = Wanted()
                self._ears.give_back(frozenset(taken))
                raise
            gone = self.honoured.uris - offered.uris
            self.honoured = msgspec.structs.replace(offered, uris=kept | taken)
            self._hoped = Wanted()
            await self._ears.unsubscribe(gone)

    async def close(self) -> None:
        self._ears.part(self)
