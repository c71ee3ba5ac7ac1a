"""One keeper for each upstream that is in use: started and ended as servers come, change and go.

None waits for another, but for a turn to list: listing is bounded in number, and those that are not reached take
their turns apart.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import select

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.log import Log
from mcp_platform.control.execute import Executor
from mcp_platform.control.keeper import Keeper, Kept, Means
from mcp_platform.features.upstreams.check import Reach
from mcp_platform.features.upstreams.tables import UPSTREAMS
from mcp_platform.net.transports.links import UpstreamLinks
from mcp_platform.net.transports.model import Target
from mcp_platform.net.transports.offers import LIST_CHANGES
from mcp_platform.snapshot.model import ListsHint
from mcp_platform.store.action import Touched
from mcp_platform.store.unit import Unit

AT_ONCE = 12
"""Servers that are listed at once: each may fill some 64 MiB, if it wants to."""
SICK_AT_ONCE = 4
STARTS_AT_ONCE = 2
"""Stdio servers that are started to be listed: each takes a core while it starts."""
ARRANGE_S = 60.0
"""Seconds after which is looked for changes that nobody told of."""
_log = Log("control.keepers")


class Keepers:
    """All keepers of this control."""

    def __init__(
        self,
        executor: Executor,
        data_key: bytes,
        reach: Reach,
        links: UpstreamLinks,
        settings: Upstreams,
        tell: Callable[[str, tuple[str, ...]], None],
    ) -> None:
        turns = (asyncio.Semaphore(number) for number in (AT_ONCE, SICK_AT_ONCE, STARTS_AT_ONCE))
        self._means = Means(executor, data_key, reach, links, settings, tell, *turns)
        self._tell = tell
        self._kept: dict[str, tuple[Keeper, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._begun = False
        """Servers that are there at the start may have changed since; one that comes later was listed to be added."""

    def published(self, touched: Touched) -> None:
        """A change was handed to the workers."""
        lists: dict[str, list[str]] = {}
        for upstream, kind in sorted(touched.lists):
            lists.setdefault(upstream, []).append(kind)
        for upstream, kinds in lists.items():
            self._tell(upstream, tuple(kinds))
        if touched.upstreams:
            self._changed.set()

    def hinted(self, hint: ListsHint) -> None:
        """A worker heard a server say that its lists have changed."""
        kept = self._kept.get(hint.upstream)
        if kept is not None:
            kept[0].hint(hint.kinds)

    def in_vain(self, action: str, name: str) -> None:
        """An operator asked for a server, and it was not reached."""
        if action in ("server.refresh", "server.test"):
            for keeper, _ in self._kept.values():
                if keeper.kept.name == name:
                    keeper.asked_in_vain()

    def announced(self, upstream: str, method: str) -> None:
        """A connection of control's own heard it."""
        self.hinted(ListsHint(upstream, (LIST_CHANGES[method],)))

    async def run(self) -> None:
        """For ever; ends only by cancellation."""
        while True:
            self._changed.clear()
            try:
                await self._arrange()
            except Exception as error:  # the root of a task that must go on: logged, and tried again
                _log.error("keepers_failed", exc=error)
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ARRANGE_S):
                    await self._changed.wait()

    async def _arrange(self) -> None:
        wanted = {kept.target.id: kept for kept in await self._means.executor.read(_in_use)}
        self._means.links.keep(set(wanted))
        for identity, (keeper, task) in list(self._kept.items()):
            kept = wanted.get(identity)
            if kept is None or kept.target != keeper.kept.target:
                del self._kept[identity]
                task.cancel()
        loop = asyncio.get_running_loop()
        for identity, kept in wanted.items():
            if identity not in self._kept:
                keeper = Keeper(kept if self._begun else replace(kept, listed=False), self._means)
                self._kept[identity] = keeper, loop.create_task(keeper.run(), name=f"keeper {kept.name}")
        self._begun = True

    async def close(self) -> None:
        """After `run` was cancelled."""
        tasks = [task for _, task in self._kept.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _in_use(unit: Unit) -> list[Kept]:
    rows = unit.connection.execute(select(UPSTREAMS).where(UPSTREAMS.c.enabled).order_by(UPSTREAMS.c.id))
    return [
        Kept(
            target=Target(
                id=row.id,
                version=row.version,
                transport="sse" if row.sse else row.transport,
                url=row.url,
                has_credentials=row.has_credentials,
                interactive=row.interactive,
            ),
            name=row.name,
            era=row.era,
            capabilities=row.capabilities or b"{}",
            stale=bool(row.stale),
            listed=bool(row.listing_hash),
        )
        for row in rows
    ]
