"""Listening that mends itself: an ear that breaks is opened again, later and later, and the listener is told.

An ear is the transports' part: open once, broken once. Everything that is the same for all of them stands here.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from mcp_platform.base import clock
from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.net.transports.model import Listener, Wanted
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY, UPSTREAM_LOST

MAX_LISTENING = 4096
"""Ears of one process at one upstream: as many as agents may be listening there on their own behalf."""
MAX_URIS = 1000
"""Resources of one ear. The specification names no number; each costs a request when the ear is opened again."""
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 60.0
"""Seconds before an ear is opened again: at first, and at most."""
RETRY_S = 2.0
"""Seconds after a try in vain before an answer of the upstream is a reason to try again at once."""
STEADY_S = 10.0
"""Seconds an ear must have been whole for the next wait to be the first again."""

_log = Log(__name__)


class Ear(Protocol):
    """One open ear at an upstream."""

    broken: "asyncio.Future[Fault | None]"
    """Done when nothing more is heard: why, or None where the server ended it in an orderly way."""

    @property
    def honoured(self) -> Wanted: ...

    async def want(self, wanted: Wanted) -> None: ...

    async def close(self) -> None: ...


Attend = Callable[[Wanted, Listener], Awaitable[Ear]]
"""Opens an ear. Raises Fault(upstream_*). Being cancelled leaves nothing open."""


class Watch:
    """One Listening. Its task lives until `close`."""

    def __init__(self, attend: Attend, wanted: Wanted, listener: Listener, name: str, broken: "set[Watch]") -> None:
        """`broken`: it is in there while it is broken."""
        self._attend = attend
        self._wanted = wanted
        self._listener = listener
        self._name = name
        self._ear: Ear | None = None
        self._why = Fault(UPSTREAM_LOST)
        """Why it broke the last time, or could not be opened again."""
        self._changing = asyncio.Lock()
        self._mended = asyncio.Event()
        self._reached = asyncio.Event()
        self._tried_at = float("-inf")
        self._broken = broken
        self._mending: asyncio.Task[None] | None = None
        self._on_close: Callable[[], None] | None = None

    async def open(self, on_close: Callable[[], None]) -> None:
        """Raises Fault(upstream_*)."""
        self._on_close = on_close
        self._ear = await self._attend(check(self._wanted), self._listener)
        self._mending = asyncio.get_running_loop().create_task(self._mend(self._ear), name=f"listen {self._name}")

    @property
    def honoured(self) -> Wanted:
        """What the server can tell; nothing while it is broken."""
        return Wanted() if self._ear is None else self._ear.honoured

    async def want(self, wanted: Wanted) -> None:
        """Raises Fault(upstream_*), at once while it is broken; then the former is still what is wanted."""
        check(wanted)
        async with self._changing:
            if self._ear is None or self._ear.broken.done():
                raise self._reason()
            await self._ear.want(wanted)
            self._wanted = wanted

    async def whole(self, patience_s: float) -> None:
        """Returns when it hears: at once, or where it is broken when it is mended. Raises Fault(upstream_*) after so
        many seconds: why it is not."""
        if not self._is_broken:
            return
        self._mended.clear()
        try:
            async with asyncio.timeout(patience_s):
                await self._mended.wait()
        except TimeoutError:
            raise self._reason() from None

    async def close(self) -> None:
        """Nothing is heard after this."""
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.gather(self._mending, return_exceptions=True)
            self._mending = None
        self._broken.discard(self)
        ear, self._ear = self._ear, None
        if ear is not None:
            await ear.close()
        if self._on_close is not None:
            self._on_close()

    @property
    def _is_broken(self) -> bool:
        return self._ear is None or self._ear.broken.done()

    def _reason(self) -> Fault:
        """Why it is broken, to be raised: each one who asks gets one of its own."""
        return Fault(self._why.kind, self._why.detail, dict(self._why.data), self._why.retry_after_s)

    def move(self) -> None:
        """There is a better way to the upstream: listen there, and let go of this ear."""
        if self._ear is not None and not self._ear.broken.done():
            self._ear.broken.set_result(None)

    async def _mend(self, ear: Ear) -> None:
        """A task root; ends with `close`."""
        wait_s = FIRST_WAIT_S
        while True:
            whole_since = clock.monotonic()
            fault = await asyncio.shield(ear.broken)
            self._ear = None
            self._broken.add(self)
            self._why = fault or Fault(UPSTREAM_LOST)
            await ear.close()
            if fault is not None:
                _log.info("listening_broke", upstream=self._name, code=fault.kind.code)
                self._listener.failed(fault)
            if clock.monotonic() - whole_since > STEADY_S:
                wait_s = FIRST_WAIT_S
            while True:
                await self._wait(wait_s)
                wait_s = min(MAX_WAIT_S, wait_s * 2)
                opened = await self._again()
                if opened is not None:
                    ear = opened
                    break
            self._broken.discard(self)
            self._mended.set()
            self._listener.renewed()

    def reached(self) -> None:
        """The upstream answered somebody: it is worth a try now."""
        if clock.monotonic() - self._tried_at > RETRY_S:
            self._reached.set()

    async def _wait(self, most_s: float) -> None:
        self._tried_at = clock.monotonic()
        self._reached.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._reached.wait()

    async def _again(self) -> Ear | None:
        async with self._changing:
            try:
                self._ear = await self._attend(self._wanted, self._listener)
            except Fault as fault:
                self._why = fault
                _log.debug("listening_still_broken", upstream=self._name, code=fault.kind.code)
            except Exception as error:  # a task root: the listener waits for the next try
                _log.error("listening_failed", exc=error, upstream=self._name)
                self._listener.failed(Fault(INTERNAL))
            return self._ear


def check(wanted: Wanted) -> Wanted:
    """Raises Fault(upstream_busy) above the ceiling."""
    if len(wanted.uris) + len(wanted.task_ids) > MAX_URIS:
        text = "So many resources and tasks of one MCP server cannot be watched at once."
        raise Fault(UPSTREAM_BUSY, text, {"max_resources": MAX_URIS})
    return wanted


class Watches:
    """Everything of this process that listens at one upstream."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: set[Watch] = set()
        self.broken: set[Watch] = set()
        """Those that wait to be mended."""

    async def listen(self, attend: Attend, wanted: Wanted, listener: Listener) -> Watch:
        """Raises Fault(upstream_*)."""
        if len(self._open) >= MAX_LISTENING:
            raise Fault(UPSTREAM_BUSY, data={"max_listening": MAX_LISTENING})
        watch = Watch(attend, wanted, listener, self._name, self.broken)
        self._open.add(watch)
        try:
            await watch.open(lambda: self._open.discard(watch))
        except BaseException:
            self._open.discard(watch)
            raise
        return watch

    def reached(self) -> None:
        """The upstream answered somebody."""
        for watch in self.broken:
            watch.reached()

    def move(self) -> None:
        """The upstream is to be reached in another way from now on."""
        for watch in self._open:
            watch.move()

    async def close(self) -> None:
        await asyncio.gather(*(watch.close() for watch in list(self._open)))
