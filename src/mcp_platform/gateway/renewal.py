"""Asks control for an issuer's newer keys when a token names one that is not known, and holds the request until then.

Bounded on every side: tokens that name keys at random must not hold requests, ask without end, or starve the honest.
"""

import asyncio
from collections.abc import Awaitable, Callable

from mcp_platform.base import clock

MAX_WAITING = 256
"""Requests of one worker that wait for keys; further ones are refused at once."""
BURST = 8
EVERY_S = 1.0
"""A worker asks control eight times at once, then once in a second; control has a stricter bound for each issuer."""


class Renewal:
    """One worker's questions. Those for the same issuer at the same time are one."""

    def __init__(self, ask: Callable[[str], Awaitable[bool]]) -> None:
        self._ask = ask
        self._asking: dict[str, asyncio.Task[bool]] = {}
        self._waiting = 0
        self._tokens = float(BURST)
        self._asked_at = clock.monotonic()

    async def wait(self, issuer: str) -> bool:
        """True where the issuer's keys were fetched anew; what came of it is in the newest snapshot."""
        asking = self._asking.get(issuer)
        if self._waiting >= MAX_WAITING or (asking is None and not self._may_ask()):
            return False
        if asking is None:
            asking = self._asking[issuer] = asyncio.get_running_loop().create_task(self._one(issuer))
        self._waiting += 1
        try:
            return await asyncio.shield(asking)
        finally:
            self._waiting -= 1

    async def _one(self, issuer: str) -> bool:
        """Its deadline is the broker's."""
        try:
            return await self._ask(issuer)
        finally:
            del self._asking[issuer]

    def _may_ask(self) -> bool:
        now = clock.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._asked_at) / EVERY_S)
        self._asked_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
