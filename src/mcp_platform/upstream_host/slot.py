"""The place of one server process: started when it is wanted, started anew when it died, slower each time it dies
young."""

import asyncio
from collections.abc import Callable

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.transports.broker_wire import BrokerClient
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.model import Answer, Call, Caller, Listener, Target, Wanted
from mcp_platform.net.transports.peer import ENVELOPE_BYTES, Peer
from mcp_platform.net.transports.sessions import Key as Owner
from mcp_platform.net.transports.watch import Ear
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN, UPSTREAM_LOST
from mcp_platform.upstream_host.child import Child
from mcp_platform.upstream_host.spawn import check_isolation

YOUNG_S = 2.0
"""Seconds of life under which a death counts as a failed start. Not longer: a healthy server killed from outside
now and then must be back at once each time."""
FREE_DEATHS = 1
"""Young deaths in a row that cost no waiting: one crash is answered by one restart at once."""
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 30.0
"""Seconds between starts of a server that always dies: first, and at most."""

_log = Log(__name__)


class Slot:
    """At most one process at a time."""

    def __init__(
        self,
        target: Target,
        owner: Owner,
        settings: Upstreams,
        broker: BrokerClient,
        announced: Callable[[str], None],
    ) -> None:
        self.target = target
        self.last_used = clock.monotonic()
        self.under_way = 0
        self.stopping = False
        self._owner = owner
        self._settings = settings
        self._broker = broker
        self._announced = announced
        self._peer: Peer | None = None
        self._child: Child | None = None
        self._opening: asyncio.Task[Peer] | None = None
        self._era: str | None = None
        self._young_deaths = 0
        self._not_before = 0.0
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        return None if self._child is None or self._child.ended.is_set() else self._child.pid

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Raises Fault(upstream_*)."""
        if self._owner is None and call.capabilities != b"{}":
            call = msgspec.structs.replace(call, owner=None, capabilities=b"{}", client_info=None)
        self.under_way += 1
        try:
            peer = await self._ready(call.client_info)
            return await peer.call(call, caller)
        finally:
            self.under_way -= 1
            self.last_used = clock.monotonic()

    @property
    def busy(self) -> bool:
        """Whether somebody calls, or listens."""
        return self.under_way > 0 or (self._peer is not None and not self._peer.gone and self._peer.listened_to)

    async def attend(
        self, owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted, listener: Listener
    ) -> Ear:
        """Raises Fault(upstream_*)."""
        if self._owner is None:
            owner, capabilities, client_info = None, b"{}", None
        self.under_way += 1
        try:
            peer = await self._ready(client_info)
            return await peer.attend(owner, capabilities, client_info, wanted, listener)
        finally:
            self.under_way -= 1
            self.last_used = clock.monotonic()

    async def tell(self, method: str, params: bytes) -> None:
        """Raises Fault(upstream_*)."""
        if self._peer is not None and not self._peer.gone:
            await self._peer.tell(method, params)

    async def found(self, timeout_s: float) -> Found:
        """What the server is. Raises Fault(upstream_*)."""
        self.under_way += 1
        try:
            async with asyncio.timeout(timeout_s):
                peer = await self._ready(None)
        except TimeoutError:
            raise Fault(UPSTREAM_DOWN, data={"stage": "start"}) from None
        finally:
            self.under_way -= 1
        assert peer.found is not None, "a peer that is ready was opened"
        return peer.found

    async def _ready(self, client_info: bytes | None) -> Peer:
        if self._peer is not None and not self._peer.gone and self.pid is not None:
            return self._peer
        if self.stopping:
            raise Fault(UPSTREAM_LOST)
        wait_s = self._not_before - clock.monotonic()
        if wait_s > 0:
            text = "The MCP server behind this tool keeps ending soon after its start; it is tried again later."
            raise Fault(UPSTREAM_DOWN, text, {"stage": "start"}, retry_after_s=round(wait_s, 1))
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open(client_info))
            self._opening.add_done_callback(self._opened)
        # A caller that gives up must not take the process from the others who wait for it.
        return await asyncio.shield(self._opening)

    def _opened(self, task: "asyncio.Task[Peer]") -> None:
        self._opening = None
        if task.cancelled():
            return
        failure = task.exception()
        if failure is not None and not isinstance(failure, Fault):
            _log.error("server_start_failed", exc=failure, upstream=self.target.id)

    async def _open(self, client_info: bytes | None) -> Peer:
        """Bounded by the broker's time-out and the start's."""
        check_isolation(self._settings)
        launch = await self._broker.launch(self.target)
        server = launch.name or self.target.id
        if self._settings.isolation == "none":
            _log.warning("server_is_not_isolated", server=server, meaning="it may do whatever the platform's user may")
        shared = self._owner is None
        peer = Peer(server, shared=shared, max_call_s=self._settings.max_call_s, announced=self._announced)
        self._started_at = clock.monotonic()
        try:
            child = await Child.start(
                launch, server, self._settings.max_result_bytes + ENVELOPE_BYTES, peer.line, lambda: self._ended(peer)
            )
        except Fault:
            self._died()
            raise
        self._child = child
        peer.attach(child)
        capabilities = b"{}" if self._owner is None else self._owner[1]
        info = None if self._owner is None else client_info
        try:
            found = await peer.open(capabilities, info, self._era, self._settings.start_timeout_s)
        except BaseException as error:
            self._era = None
            child.kill()
            if isinstance(error, Fault) and error.kind is UPSTREAM_LOST:
                text = "The MCP server's process ended before it answered; its stderr is in the platform's log."
                raise Fault(UPSTREAM_DOWN, text, {"stage": "start"}) from None
            raise
        self._era = found.era
        self._peer = peer
        return peer

    def _ended(self, peer: Peer) -> None:
        peer.ended()
        if not self.stopping:
            self._died()

    def _died(self) -> None:
        if clock.monotonic() - self._started_at > YOUNG_S:
            self._young_deaths = 0
            return
        self._young_deaths += 1
        late = self._young_deaths - FREE_DEATHS - 1
        if late >= 0:
            self._not_before = clock.monotonic() + min(MAX_WAIT_S, FIRST_WAIT_S * 2 ** min(late, 10))

    async def stop(self) -> None:
        """Stop the process within its grace; calls under way are lost with it."""
        self.stopping = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._child is not None:
            await self._child.stop()
