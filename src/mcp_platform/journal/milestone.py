"""How far something got, and who waits for it: many waiters, one timer. Lives on one event loop."""

import asyncio
from collections import deque

from mcp_platform.base import clock
from mcp_platform.base.errors import ErrorKind, Fault


class Milestone:
    """A number that grows. A waiter waits at most `patience_s`, then is refused."""

    def __init__(self, loop: asyncio.AbstractEventLoop, patience_s: float, refusal: ErrorKind) -> None:
        self.reached = 0
        self._loop = loop
        self._patience_s = patience_s
        self._refusal = refusal
        self._waiting: deque[tuple[int, float, asyncio.Future[None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def reach(self, number: int) -> None:
        self.reached = number
        waiting = self._waiting
        for _ in range(len(waiting)):
            each = waiting.popleft()
            if each[0] > number:
                waiting.append(each)
            elif not each[2].done():
                each[2].set_result(None)

    async def wait(self, number: int) -> None:
        """Returns when `number` is reached. Raises Fault when it takes too long."""
        if number <= self.reached:
            return
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((number, clock.monotonic() + self._patience_s, future))
        if self._timer is None:
            self._timer = self._loop.call_later(self._patience_s, self._expire)
        await future

    @property
    def waiters(self) -> int:
        return len(self._waiting)

    def _expire(self) -> None:
        self._timer = None
        now = clock.monotonic()
        waiting = self._waiting
        while waiting and (waiting[0][1] <= now or waiting[0][2].done()):
            _, _, future = waiting.popleft()
            if not future.done():
                future.set_exception(Fault(self._refusal, retry_after_s=1))
        if waiting:
            self._timer = self._loop.call_later(max(0.001, waiting[0][1] - now), self._expire)

    def close(self) -> None:
        """Refuse whoever still waits."""
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            future = self._waiting.popleft()[2]
            if not future.done():
                future.set_exception(Fault(self._refusal, retry_after_s=1))
