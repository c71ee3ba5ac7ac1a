"""Requests without a good admin token: counted by address, audited one by one while they are few, then in sum.

A flood can neither fill the log nor lock anybody out: a good token is always taken, whatever its address did.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.base.log import Log
from mcp_platform.features.audit.actions import Event
from mcp_platform.features.tokens.errors import ADMIN_TOKEN_FLOOD
from mcp_platform.net.peer import counted_as
from mcp_platform.store.tag import Tag

WINDOW_S = 60.0
"""Seconds over which tries of an address are counted."""
MANY = 20
"""Tries in a window that are answered and audited each; a person who mistypes needs three."""
MAX_ADDRESSES = 4096
"""Addresses counted at once; with more, the one counted longest is summed up and forgotten."""
MAX_WAITING = 256
"""Rows that wait to be written. What comes above that is in the sum of its address all the same."""
NOBODY = "anonymous"
_log = Log("control.rest.tries")


@dataclass(slots=True)
class _Tries:
    address: str
    began: float
    count: int = 0


class FailedTries:
    """`note` each; `run` writes what is to be audited."""

    def __init__(self, audit: Callable[[Event], Awaitable[None]], now: Callable[[], float] = clock.monotonic) -> None:
        self._audit = audit
        self._now = now
        self._tries: dict[bytes | None, _Tries] = {}
        self._waiting: list[Event] = []
        self._woken = asyncio.Event()
        self.many = MANY
        self.total = 0
        """Since this process started."""

    def note(self, address: str, kind: ErrorKind) -> Fault:
        """Count one; what to answer it with."""
        self.total += 1
        now = self._now()
        key = counted_as(address)
        tries = self._tries.get(key)
        if tries is not None and now - tries.began >= WINDOW_S:
            self._forget(key)
            tries = None
        if tries is None:
            if len(self._tries) >= MAX_ADDRESSES:
                self._forget(next(iter(self._tries)))
            tries = self._tries[key] = _Tries(address, now)
        tries.count += 1
        if tries.count <= self.many:
            self._write(Event(NOBODY, Tag.TOKENS_TOKEN_REFUSE, "refused", error=kind.code, address=address))
            return Fault(kind)
        return Fault(ADMIN_TOKEN_FLOOD, retry_after_s=tries.began + WINDOW_S - now)

    def _forget(self, key: bytes | None) -> None:
        tries = self._tries.pop(key)
        if tries.count > self.many:
            sum_up = msgspec.json.encode({"tries": tries.count, "audited": self.many}).decode()
            flood = ADMIN_TOKEN_FLOOD.code
            event = Event(NOBODY, Tag.TOKENS_TOKEN_REFUSE, "refused", error=flood, params=sum_up, address=tries.address)
            self._write(event)

    def _write(self, event: Event) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(event)
            self._woken.set()

    async def run(self) -> None:
        """Write rows, and sum up addresses whose window is over; ends by cancellation, with nothing left to write."""
        try:
            while True:
                await self._turn()
        finally:
            for key in list(self._tries):
                self._forget(key)
            await self._flush()

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(WINDOW_S / 4):
                await self._woken.wait()
        except TimeoutError:
            now = self._now()
            for key in [key for key, tries in self._tries.items() if now - tries.began >= WINDOW_S]:
                self._forget(key)
        self._woken.clear()
        await self._flush()

    async def _flush(self) -> None:
        while self._waiting:
            event = self._waiting.pop(0)
            try:
                await self._audit(event)
            except Fault as fault:
                _log.error("refusal_not_audited", exc=fault, tag=event.tag, address=event.address)
