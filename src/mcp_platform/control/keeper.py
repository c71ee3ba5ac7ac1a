"""Keeps what is known of one upstream true: lists it again when it may have changed, and says when it is not reached.

A server over HTTP is asked now and then whether it is there, and listened to where it announces changes. A stdio
server is neither: it would have to run for that. It is listed at the start, when it announces a change in the course
of a call, and when an operator asks.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import select

from mcp_platform.base import clock
from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.control.entry import SYSTEM
from mcp_platform.control.execute import Executor
from mcp_platform.control.pulse import FAILURES, Pulse
from mcp_platform.features.upstreams.catalogue import listing_hash
from mcp_platform.features.upstreams.check import Reach, ServerSpec
from mcp_platform.features.upstreams.errors import SERVER_UNKNOWN
from mcp_platform.features.upstreams.look import Looked, look
from mcp_platform.features.upstreams.showing import spec_of
from mcp_platform.features.upstreams.tables import UPSTREAMS
from mcp_platform.net.transports.links import UpstreamLinks
from mcp_platform.net.transports.model import Call, Listening, Target, Wanted
from mcp_platform.net.transports.nobody import Nobody
from mcp_platform.net.transports.offers import EVERY_LIST, KINDS, LIST_CHANGES, of_capabilities
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_REFUSED, UPSTREAM_TOO_LARGE
from mcp_platform.store.action import Context
from mcp_platform.store.unit import Unit

CHECK_S = 10.0
"""Seconds a server may take to say that it is there."""
FIRST_LIST_S = 15.0
"""Seconds after the start over which the first lists are spread."""
LOOKS = 10
"""Questions whether a server is there, for each list: they cost next to nothing, a list may cost much."""
LONGEST_S = 3600.0
"""Seconds of one wait: a server that is not asked by itself waits for ever, and no timer takes that."""
BROKEN_S = 5.0
"""Seconds until a keeper that failed for a reason of ours goes on."""
_ANSWERS = (UPSTREAM_GARBAGE, UPSTREAM_REFUSED, UPSTREAM_TOO_LARGE)
"""Faults of a server that is there: the next look would bring the same."""
_log = Log("control.keeper")


@dataclass(frozen=True, slots=True)
class Kept:
    """One upstream as its keeper knows it."""

    target: Target
    name: str
    era: str
    capabilities: bytes
    stale: bool
    listed: bool
    """Whether it was listed a moment ago, by whoever added it."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all keepers share."""

    executor: Executor
    data_key: bytes
    reach: Reach
    links: UpstreamLinks
    settings: Upstreams
    tell: Callable[[str, tuple[str, ...]], None]
    """Tells the workers that lists of an upstream are others now, or are said to be."""
    well: asyncio.Semaphore
    """Turns of servers that are well to be listed; and of those that were not reached last: the sick wait for each
    other and for nobody else."""
    sick: asyncio.Semaphore
    starts: asyncio.Semaphore
    """Turns of processes to be started for it."""


class Keeper:
    """Of one upstream in one version. Its one task owns everything it does."""

    def __init__(self, kept: Kept, means: Means) -> None:
        self.kept = kept
        self._means = means
        self._web = kept.target.transport != "stdio"
        self._pulse = Pulse(means.settings.refresh_s / LOOKS, stale=kept.stale)
        self._hints: set[str] = set()
        self._woken = asyncio.Event()
        self._ear: Listening | None = None
        now = clock.monotonic()
        self._list_at = now + self._jittered(means.settings.refresh_s)
        if not kept.listed:
            self._list_at = now + random.uniform(0, FIRST_LIST_S)  # noqa: S311 - spreads load
        self._check_at = now + self._jittered(self._pulse.usual_s) if self._web else float("inf")

    def hint(self, kinds: tuple[str, ...]) -> None:
        """Something says that these lists have changed."""
        fresh = {kind for kind in kinds if kind in KINDS} - self._hints
        if fresh and not self._hints:
            self._list_at = min(self._list_at, clock.monotonic() + self._pulse.hinted(clock.monotonic()))
        self._hints |= fresh
        self._woken.set()

    def asked_in_vain(self) -> None:
        """Somebody saw it fail: if it fails now, too, that is said. Otherwise nobody would look at a stdio server."""
        self._pulse.failures = max(self._pulse.failures, FAILURES - 1)
        self._list_at = min(self._list_at, clock.monotonic())
        self._woken.set()

    # What control's own ear hears.

    def heard(self, method: str, params: bytes) -> None:
        if method in LIST_CHANGES:
            self.hint((LIST_CHANGES[method],))

    def renewed(self) -> None:
        self.hint(KINDS)

    def failed(self, fault: Fault) -> None:
        """The ear is opened again by itself; whether the server is there is asked for anyway."""
        if self._web:
            self._check_at = min(self._check_at, clock.monotonic())
            self._woken.set()

    async def run(self) -> None:
        """For ever; ends only by cancellation."""
        try:
            heard_from_the_start = self.kept.listed
            while True:
                try:
                    if heard_from_the_start:
                        heard_from_the_start = False
                        await self._listen(self.kept.capabilities)
                    await self._wait()
                    await self._look()
                except Exception as error:  # the root of a task that must go on: logged, and tried again
                    _log.error("keeper_failed", exc=error, upstream=self.kept.name)
                    self._list_at = clock.monotonic() + BROKEN_S
        finally:
            if self._ear is not None:
                await self._ear.close()

    async def _wait(self) -> None:
        """Until it is time for something."""
        while (wait_s := min(self._list_at, self._check_at) - clock.monotonic()) > 0:
            self._woken.clear()
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, LONGEST_S)):
                    await self._woken.wait()

    async def _look(self) -> None:
        if self._list_at <= clock.monotonic():
            await self._list()
        elif await self._is_there() and (self._pulse.failures or self._pulse.stale or self._hints):
            # It was away, or is back: it may be another now.
            self._list_at = min(self._list_at, max(clock.monotonic(), self._pulse.held_until))

    # Whether it is there.

    async def _is_there(self) -> bool:
        method = "server/discover" if self.kept.era == "modern" else "ping"
        timeout_s = min(CHECK_S, self._means.settings.call_timeout_s)
        try:
            async with asyncio.timeout(CHECK_S + self._means.settings.connect_timeout_s):
                await self._means.links.link(self.kept.target).call(
                    Call(method=method, params=b"{}", timeout_s=timeout_s), Nobody()
                )
        except Fault as fault:
            await self._not_reached(fault.kind.code)
            return False
        except TimeoutError:
            await self._not_reached("upstream_timeout")
            return False
        self._check_at = clock.monotonic() + self._jittered(self._pulse.wait_s())
        return True

    async def _not_reached(self, code: str) -> None:
        now = clock.monotonic()
        _log.info("upstream_not_reached", upstream=self.kept.name, code=code)
        self._pulse.failed(now)
        wait_s = self._jittered(self._pulse.wait_s())
        if self._web:
            self._check_at = now + wait_s
            self._list_at = max(self._list_at, now + self._means.settings.refresh_s)
        else:
            self._list_at = now + wait_s
        # The database knows whether it is said already: an operator's look may have taken the mark away.
        if self._pulse.stale and await self._means.executor.read(self._stored) == (True, ""):
            params = {"name": self.kept.name, "code": code}
            await self._means.executor.execute("server.stale", params, SYSTEM, guard=self._same)

    # What it lists.

    async def _list(self) -> None:
        hinted, self._hints = self._hints, set()
        self._list_at = clock.monotonic() + self._jittered(self._means.settings.refresh_s)
        if not self._web:
            self._list_at = float("inf")
        try:
            async with self._turn():
                looked = await look(await self._spec(), self._means.reach)
        except Fault as fault:
            if fault.kind is SERVER_UNKNOWN:  # removed a moment ago: whoever started this keeper ends it
                return
            self._hints |= hinted
            if fault.kind in _ANSWERS:
                self._pulse.failures = max(self._pulse.failures, FAILURES - 1)
            await self._not_reached(fault.kind.code)
            return
        self.kept = replace(self.kept, era=looked.era)
        changed = await self._keep(looked)
        told = tuple(kind for kind in KINDS if kind in hinted and kind not in changed)
        if told:
            self._means.tell(self.kept.target.id, told)
        await self._listen(looked.capabilities)

    def _turn(self) -> asyncio.Semaphore:
        if self._pulse.failures or self._pulse.stale:
            return self._means.sick
        return self._means.well if self._web else self._means.starts

    async def _keep(self, looked: Looked) -> set[str]:
        """Store what differs. Gives the lists of which agents see others now."""
        now = clock.monotonic()
        was_stale = self._pulse.stale
        self._pulse.well(now)
        self._check_at = now + self._jittered(self._pulse.wait_s())
        if was_stale and self._pulse.stale:
            self._list_at = min(self._list_at, self._pulse.held_until)
            return set()
        hashed = listing_hash(looked)
        if await self._means.executor.read(lambda unit: self._is_stored(unit, hashed)):
            return set()
        answer = await self._means.executor.execute(
            "server.refresh", {"name": self.kept.name}, SYSTEM, guard=self._same, found=looked
        )
        _log.info("upstream_listed", upstream=self.kept.name, lists=answer["lists"], awaiting=answer["awaiting"])
        lists = answer["lists"]
        return set(lists) if isinstance(lists, list) else set()

    def _is_stored(self, unit: Unit, hashed: str) -> bool:
        query = select(UPSTREAMS.c.listing_hash, UPSTREAMS.c.stale).where(UPSTREAMS.c.id == self.kept.target.id)
        row = unit.connection.execute(query).first()
        return row is None or (row.listing_hash == hashed and not row.stale)

    def _stored(self, unit: Unit) -> tuple[bool, str]:
        """Whether the server is still there, and what is said of why it is not reached."""
        query = select(UPSTREAMS.c.stale).where(UPSTREAMS.c.id == self.kept.target.id)
        stale = unit.connection.execute(query).scalar_one_or_none()
        return stale is not None, stale or ""

    async def _spec(self) -> ServerSpec:
        """Raises Fault(server_unknown)."""
        data_key, upstream_id = self._means.data_key, self.kept.target.id

        def ask(unit: Unit) -> ServerSpec:
            if not self._stored(unit)[0]:
                raise Fault(SERVER_UNKNOWN)
            return spec_of(unit, data_key, upstream_id)

        return await self._means.executor.read(ask)

    def _same(self, unit: Unit, context: Context) -> None:
        """A server that was removed, and another added in its name, is not this keeper's. Raises Fault."""
        query = select(UPSTREAMS.c.id).where(UPSTREAMS.c.name == self.kept.name)
        if unit.connection.execute(query).scalar_one_or_none() != self.kept.target.id:
            raise Fault(SERVER_UNKNOWN)

    async def _listen(self, capabilities: bytes) -> None:
        """Hear of changes, where the server says that it tells of them. What breaks later mends itself."""
        if self._ear is not None or not self._web or of_capabilities(capabilities).of(EVERY_LIST) == Wanted():
            return
        try:
            link = self._means.links.link(self.kept.target)
            self._ear = await link.listen(None, b"{}", None, EVERY_LIST, self)
        except Fault as fault:
            _log.info("upstream_not_heard", upstream=self.kept.name, code=fault.kind.code)

    def _jittered(self, wait_s: float) -> float:
        return wait_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
