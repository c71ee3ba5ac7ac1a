"""Which link reaches an upstream, how long it is kept, and whether the upstream is worth trying at all."""

import asyncio
from collections.abc import Coroutine

from mcp_platform.base import clock
from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports.announcements import Announcements
from mcp_platform.net.transports.breaker import Breaker, Verdict
from mcp_platform.net.transports.broker_wire import CredentialSource
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.host_link import HostConnection, HostLink
from mcp_platform.net.transports.http_link import HttpLink
from mcp_platform.net.transports.model import Announced, Answer, Call, Caller, Listener, Listening, Target, Wanted
from mcp_platform.net.transports.sse_link import SseLink
from mcp_platform.net.transports.watch import Ear, Watches
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY, UPSTREAM_DOWN, UPSTREAM_LOST, UPSTREAM_TIMEOUT

_SAYS_NOTHING = frozenset({UPSTREAM_BUSY, UPSTREAM_LOST, UPSTREAM_TIMEOUT})
Way = HttpLink | SseLink | HostLink


class UpstreamLink:
    """The link to one upstream, through every version of its configuration."""

    def __init__(self, target: Target, way: Way) -> None:
        self.target = target
        self.way = way
        self.breaker = Breaker()
        self._watches = Watches(target.id)

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Send one request and wait for its answer. Raises Fault(upstream_*); upstream_down at once, with
        `retry_after_s`, while the upstream could not be reached a moment ago."""
        breaker = self.breaker
        given = breaker.usual if breaker.is_calm else breaker.admit(clock.monotonic())
        if given is None:
            raise self._refusal()
        verdict = Verdict.UNKNOWN
        try:
            answer = await self.way.call(call, caller)
            verdict = Verdict.REACHED
            if self._watches.broken:
                self._watches.reached()
            return answer
        except Fault as fault:
            verdict = verdict_of(fault)
            raise
        finally:
            if verdict is Verdict.FAILED or not breaker.is_calm:
                breaker.settle(given, verdict, clock.monotonic())

    def _refusal(self) -> Fault:
        text = "The MCP server behind this tool could not be reached several times in a row; it is tried again shortly."
        wait_s = round(self.breaker.wait_s(clock.monotonic()), 1)
        return Fault(UPSTREAM_DOWN, text, {"stage": "circuit"}, retry_after_s=wait_s)

    async def probe(self, timeout_s: float, owner: str | None = None, capabilities: bytes = b"{}") -> Found:
        """Reach the upstream, whatever its circuit says, and say what it is. Raises Fault(upstream_*)."""
        found = await self.way.probe(timeout_s, owner, capabilities)
        self.breaker = Breaker()
        return found

    async def listen(
        self, owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted, listener: Listener
    ) -> Listening:
        """Hear of changes, also when the way to the upstream becomes another. Raises Fault(upstream_*) where it
        cannot be opened at all."""

        async def attend(wanted: Wanted, listener: Listener) -> Ear:
            return await self.way.attend(owner, capabilities, client_info, wanted, listener)

        return await self._watches.listen(attend, wanted, listener)

    async def tell(self, owner: str, capabilities: bytes, method: str, params: bytes) -> None:
        """A notification of a client to its own session, where there is one. Raises Fault(upstream_*)."""
        await self.way.tell(owner, capabilities, method, params)

    def take(self, target: Target, way: Way) -> None:
        """The upstream's configuration changed."""
        self.target = target
        self.way = way
        self.breaker = Breaker()
        self._watches.move()

    async def close(self) -> None:
        """Let go of every connection of this link."""
        await self._watches.close()
        await self.way.close()


def verdict_of(fault: Fault) -> Verdict:
    """What a failure says about whether the upstream can be reached. A call that took too long says nothing, one tool
    may be slow, or end its server; that it neither connected nor started in time says that it is down."""
    starting = fault.kind is UPSTREAM_TIMEOUT and "stage" in fault.data and "http" not in fault.data
    if fault.kind is UPSTREAM_DOWN or starting:
        return Verdict.FAILED
    if fault.kind in _SAYS_NOTHING or fault.kind.whose != "upstream":
        return Verdict.UNKNOWN
    return Verdict.REACHED


class UpstreamLinks:
    """The links of one process, one for each upstream that was called."""

    def __init__(self, client: HttpClient, source: CredentialSource, host: HostConnection, settings: Upstreams) -> None:
        self._client = client
        self._source = source
        self._host = host
        self._settings = settings
        self._kept: dict[str, UpstreamLink] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.announced: Announced = lambda upstream, method: None
        """Called when an upstream said that a list of its changed, whoever listens; not for every time it says so."""
        self._announcements = Announcements(lambda upstream, method: self.announced(upstream, method))
        host.announced = self._announcements.take

    def link(self, target: Target) -> UpstreamLink:
        """The link for `target`; the way of an older version is closed behind the calls it still has."""
        kept = self._kept.get(target.id)
        if kept is None:
            kept = self._kept[target.id] = UpstreamLink(target, self._make(target))
        elif kept.target is not target and kept.target != target and kept.target.version <= target.version:
            self._close_later(kept.way.retire())
            kept.take(target, self._make(target))
        return kept

    def health(self) -> dict[str, str]:
        """The circuit of each upstream that was called: `closed`, `open` or `half_open`."""
        now = clock.monotonic()
        return {identity: link.breaker.state(now) for identity, link in self._kept.items()}

    def _make(self, target: Target) -> Way:
        if target.transport == "http":
            return HttpLink(target, self._client, self._source, self._settings, self._announcements.take)
        if target.transport == "sse":
            return SseLink(target, self._client, self._source, self._settings, self._announcements.take)
        assert target.transport == "stdio", "a target has one of the three transports"
        return HostLink(target, self._host)

    def keep(self, upstreams: set[str]) -> None:
        """Let go of every upstream whose id is not named: it was removed. Its processes stop."""
        for identity in self._kept.keys() - upstreams:
            link = self._kept.pop(identity)
            self._close_later(link.close())
            if link.target.transport == "stdio":
                self._close_later(self._host.forget(identity))

    def _close_later(self, closing: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every link; client and host connection belong to whoever made them."""
        links = list(self._kept.values())
        self._kept.clear()
        self._announcements.close()
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*(link.close() for link in links), *self._closing, return_exceptions=True)
