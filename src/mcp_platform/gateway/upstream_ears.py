"""What this worker listens for at upstreams, on behalf of its clients: as little as they want together.

One listening for each upstream that all share, one for each principal where the upstream has sessions of principals.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.gateway.stream_errors import CHANGES_NOT_TOLD
from mcp_platform.gateway.topics import is_honoured, wanted_of
from mcp_platform.net.transports.links import UpstreamLinks
from mcp_platform.net.transports.model import Listening, Target, Wanted
from mcp_platform.net.transports.offers import TASK, UPDATED
from mcp_platform.net.upstream_errors import UPSTREAM_TIMEOUT

log = Log(__name__)
OPEN_S = 20.0
"""Seconds that an upstream has to begin telling of changes, or to take another wish."""
MEND_S = 5.0
"""Seconds that whoever wants to hear of one more resource waits for a server that is being started again: as long as a
call waits for its host."""
FIRST_RETRY_S = 2.0
LAST_RETRY_S = 120.0
"""Seconds between two tries at an upstream that could not be listened to: the first, doubled up to the last."""


class Place(msgspec.Struct, frozen=True):
    """Where one listens, and as whom."""

    upstream: str
    owner: str | None
    """Principal id; None where all share."""
    capabilities: bytes = b"{}"


class Ear:
    """One listening, opened, changed and closed by whatever is wanted at the moment."""

    def __init__(
        self,
        place: Place,
        target: Target,
        client_info: bytes | None,
        links: UpstreamLinks,
        told: Callable[[Place, str, bytes], None],
        missed: Callable[[Place], None],
    ) -> None:
        self.place = place
        self.target = target
        self.topics: Counter[str] = Counter()
        """How often each is wanted."""
        self.turn = asyncio.Lock()
        """Held by whoever waits for the server to agree to one more."""
        self.waiting = 0
        """Those who hold it or wait for it."""
        self._told = told
        self._missed = missed
        self._client_info = client_info
        self._links = links
        self._listening: Listening | None = None
        self._at = target
        """What is listened to."""
        self._had = Wanted()
        self._work: asyncio.Task[Fault | None] | None = None
        self._fault: Fault | None = None
        """Why it could not be opened or changed the last time; None where it could."""
        self._retry_at = float("-inf")
        self._wait_s = FIRST_RETRY_S

    @property
    def idle(self) -> bool:
        """Nobody wants anything, and nothing is open."""
        settled = self._work is None or self._work.done()
        return settled and not self.topics and not self.waiting and self._listening is None

    def honours(self, topic: str) -> bool:
        """Whether the server tells of that resource or task."""
        return self._listening is not None and is_honoured(topic, self._listening.honoured)

    def raise_if_down(self, now: float) -> None:
        """Raises Fault(upstream_*) while it is too early to try again."""
        if self._listening is None and self._fault is not None and now < self._retry_at:
            raise self._fault

    def heard(self, method: str, params: bytes) -> None:
        """What the upstream says. Its lists are control's to read; whoever hears of them first tells it."""
        if method in (UPDATED, TASK):
            self._told(self.place, method, params)

    def renewed(self) -> None:
        self._missed(self.place)

    def failed(self, fault: Fault) -> None:
        log.info("listening_broken", upstream=self.place.upstream, code=fault.kind.code)

    def adjust(self) -> None:
        """Bring what is listened for in line with what is wanted."""
        if (self._work is None or self._work.done()) and not self._is_right(self._wanted()):
            self._work = asyncio.get_running_loop().create_task(self._adjust())

    async def settled(self) -> None:
        """Wait until what is wanted is listened for. Raises Fault(upstream_*)."""
        if self._work is not None:
            fault = await asyncio.shield(self._work)
            if fault is not None:
                raise fault

    async def mended(self) -> None:
        """Wait until what was opened hears again. Raises Fault(upstream_*)."""
        if self._listening is not None:
            await self._listening.whole(MEND_S)

    def retry_if_due(self, now: float) -> None:
        if not self._is_right(self._wanted()) and now >= self._retry_at:
            self.adjust()

    def moved(self, target: Target) -> None:
        """The upstream is another one now: listen there."""
        if target != self.target:
            self.target = target
            self._retry_at = float("-inf")
            self.adjust()

    async def close(self) -> None:
        self.topics.clear()
        self.adjust()
        if self._work is not None:
            await self._work

    def _wanted(self) -> Wanted:
        return wanted_of(self.topics)

    def _is_right(self, wanted: Wanted) -> bool:
        return wanted == self._had and (self._listening is None or self._at == self.target)

    async def _adjust(self) -> Fault | None:
        while not self._is_right(wanted := self._wanted()):
            try:
                async with asyncio.timeout(OPEN_S):
                    await self._be(wanted, self.target)
            except (Fault, TimeoutError) as error:
                self._retry_at = clock.monotonic() + self._wait_s
                self._wait_s = min(self._wait_s * 2, LAST_RETRY_S)
                self._fault = error if isinstance(error, Fault) else Fault(UPSTREAM_TIMEOUT)
                return self._fault
            self._had, self._fault, self._wait_s = wanted, None, FIRST_RETRY_S
        return None

    async def _be(self, wanted: Wanted, target: Target) -> None:
        if self._listening is not None and (wanted == Wanted() or self._at != target):
            listening, self._listening, self._had = self._listening, None, Wanted()
            await listening.close()
        if wanted == Wanted():
            return
        if self._listening is not None:
            await self._listening.want(wanted)
            return
        place = self.place
        link = self._links.link(target)
        self._listening = await link.listen(place.owner, place.capabilities, self._client_info, wanted, self)
        self._at = target


class Ears:
    """All of one worker."""

    def __init__(
        self, links: UpstreamLinks, told: Callable[[Place, str, bytes], None], missed: Callable[[Place], None]
    ) -> None:
        """`told` gets each notification about a resource or a task, `missed` where some may have been missed."""
        self._links = links
        self._told = told
        self._missed = missed
        self._ears: dict[Place, Ear] = {}

    def __len__(self) -> int:
        return len(self._ears)

    def add(self, place: Place, target: Target, client_info: bytes | None, topics: Iterable[str]) -> Ear:
        """Want these topics there, once more."""
        ear = self._ear(place, target, client_info)
        ear.topics.update(topics)
        ear.adjust()
        return ear

    async def watch(self, place: Place, target: Target, client_info: bytes | None, topic: str) -> None:
        """Want to hear of that resource or task, and wait until the server has agreed. One at a time, so that nobody's
        refusal is another's. A server that just broke off is not taken for one that tells nothing. Raises
        Fault(resource_changes_not_told, upstream_*)."""
        ear = self._ear(place, target, client_info)
        ear.waiting += 1
        try:
            await ear.mended()  # not in turn: all wait at once
            async with ear.turn:
                ear.raise_if_down(clock.monotonic())
                self.add(place, target, client_info, (topic,))
                try:
                    await ear.settled()
                    if not ear.honours(topic):
                        raise Fault(CHANGES_NOT_TOLD)
                except BaseException:
                    self.remove(place, (topic,))
                    raise
        finally:
            ear.waiting -= 1

    def remove(self, place: Place, topics: Iterable[str]) -> None:
        """Want them once less."""
        ear = self._ears.get(place)
        if ear is None:
            return
        ear.topics.subtract(topics)
        ear.topics = +ear.topics
        ear.adjust()

    def renew(self, targets: dict[str, Target]) -> None:
        """There is a new revision, with these upstreams."""
        for place, ear in list(self._ears.items()):
            target = targets.get(place.upstream)
            if target is not None:
                ear.moved(target)

    def tick(self, now: float) -> None:
        """Try again what failed; forget what nobody wants."""
        for place, ear in list(self._ears.items()):
            ear.retry_if_due(now)
            if ear.idle:
                del self._ears[place]

    def _ear(self, place: Place, target: Target, client_info: bytes | None) -> Ear:
        ear = self._ears.get(place)
        if ear is None:
            ear = self._ears[place] = Ear(place, target, client_info, self._links, self._told, self._missed)
        return ear

    async def close(self) -> None:
        """Say goodbye to every upstream, in bounded time."""
        closing = [asyncio.create_task(ear.close()) for ear in self._ears.values()]
        if closing:
            await asyncio.wait(closing, timeout=2.0)
