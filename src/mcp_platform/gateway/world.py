"""What one gateway worker holds: its settings, the snapshot it answers by, and the calls that run."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

from mcp_platform.base import clock
from mcp_platform.base.config import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.gateway.active import ActiveCall
from mcp_platform.gateway.asked import Asked
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.endpoints import Endpoints
from mcp_platform.gateway.errors import CONTROL_SILENT, NOT_READY, REVOKED
from mcp_platform.gateway.hub import Hub
from mcp_platform.gateway.identity import Authenticator
from mcp_platform.gateway.limits import Limits, Refused
from mcp_platform.gateway.listing import Cursor, Lists
from mcp_platform.gateway.meter import Meter
from mcp_platform.gateway.owners import Fact, Owners
from mcp_platform.gateway.parking import Parking
from mcp_platform.gateway.renewal import Renewal
from mcp_platform.gateway.resumption import Kept
from mcp_platform.gateway.schemas import Schemas
from mcp_platform.gateway.sealed import Seal
from mcp_platform.gateway.searches import Searches
from mcp_platform.gateway.session_home import Homes
from mcp_platform.gateway.session_notes import Notes
from mcp_platform.gateway.sessions import Session, Sessions
from mcp_platform.gateway.sse_connections import SseConnections
from mcp_platform.gateway.task_ids import TaskId
from mcp_platform.gateway.tokens import Verified
from mcp_platform.gateway.turns import Turns
from mcp_platform.journal.calls import CallJournal
from mcp_platform.net.transports.links import UpstreamLinks
from mcp_platform.snapshot.model import ListsChanged, ListsHint, SessionNotes, Snapshot

log = Log(__name__)
_ERRAND_S = 30.0
"""Seconds that something may take for which nobody waits."""


@dataclass(frozen=True, slots=True)
class View:
    """One revision and what was derived from it. A request holds one from start to end."""

    snapshot: Snapshot
    authenticator: Authenticator
    endpoints: Endpoints
    limits: Limits

    def lists(self, endpoint: Endpoint) -> Lists:
        return self.endpoints.lists(endpoint)


@dataclass(slots=True)
class World:
    """One worker."""

    settings: Settings
    slot: int
    mac_key: bytes
    resource: str
    """The URL of our MCP endpoint: the audience of tokens."""
    sessions: Sessions
    notes: Notes
    kept: Kept
    hub: Hub
    homes: Homes
    sse: SseConnections
    parking: Parking
    asked: Asked
    owners: Owners
    schemas: Schemas
    links: UpstreamLinks
    renewal: Renewal
    cursors: Seal[Cursor]
    tasks: Seal[TaskId]
    meter: Meter
    journal: CallJournal
    refused: Refused = field(default_factory=Refused)
    """What limits refused since the log was last told."""
    searches: Searches = field(default_factory=Searches)
    verified: Verified = field(default_factory=dict)
    """Tokens whose signatures need not be verified again."""
    turns: Turns = field(default_factory=Turns)
    """Who waits for a signature to be verified."""
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first snapshot."""
    view: View | None = None
    heard_at: float = float("-inf")
    """Monotonic time of the last heartbeat."""
    calls: set[ActiveCall] = field(default_factory=set)
    by_request: dict[tuple[bytes, str | int], ActiveCall] = field(default_factory=dict)
    """Calls of legacy sessions, for `notifications/cancelled`."""
    to_tell: "asyncio.Queue[Fact | ListsHint]" = field(default_factory=lambda: asyncio.Queue(1000))
    """What became known here of sessions, and lists that servers say have changed: for the feed to tell control."""
    errands: "set[asyncio.Task[None]]" = field(default_factory=set)
    """What is told to upstreams and nobody waits for."""

    def now_known(self) -> View:
        """The revision to answer by. Raises Fault(not_ready, control_silent)."""
        if self.view is None:
            raise Fault(NOT_READY, retry_after_s=1)
        if clock.monotonic() - self.heard_at > self.settings.snapshot.max_silence_s:
            raise Fault(CONTROL_SILENT, retry_after_s=5)
        return self.view

    async def take(self, snapshot: Snapshot) -> None:
        """Answer by `snapshot` from now on, and cut off what it no longer allows."""
        authenticator = Authenticator(snapshot, self.mac_key, self.resource, self.verified)
        limits = Limits(snapshot, self.meter, self.refused)
        endpoints = Endpoints(snapshot, self.cursors)
        self.view = View(snapshot, authenticator, endpoints, limits)
        self.known.set()
        self.links.keep({row.id for row in snapshot.upstreams.values() if row.enabled})
        for number, call in enumerate(list(self.calls)):
            if number % 500 == 499:
                await asyncio.sleep(0)
            self._cut_if_revoked(call, endpoints, authenticator)
        await self.hub.take(endpoints, authenticator)

    def lists_changed(self, changed: ListsChanged) -> None:
        """A server's lists are others now; the snapshot that holds them was taken before."""
        log.debug("lists_changed", upstream=changed.upstream, kinds=",".join(changed.kinds))
        self.hub.lists_changed(changed.upstream, changed.kinds)

    def hint(self, upstream: str, kinds: tuple[str, ...]) -> None:
        """A server says that its lists have changed. Where control cannot be told now, its own look finds it."""
        if not self.to_tell.full():
            self.to_tell.put_nowait(ListsHint(upstream, kinds))

    async def end_session(self, session: Session) -> None:
        """A client ended its session: from here on its id is worthless, on every worker that lives."""
        ended = self.sessions.end(session)
        self._forget_session(session.mark)
        await self.tell_sessions(ended)

    async def tell_sessions(self, fact: Fact) -> None:
        """Let the other workers know what became known here of a session, and control, for workers to come."""
        if not self.to_tell.full():
            self.to_tell.put_nowait(fact)
        await self.owners.tell_all(fact)

    def told(self, fact: Fact) -> None:
        """Another worker, or control, lets us know."""
        if isinstance(fact, SessionNotes):
            self.notes.heard(fact)
        elif not self.sessions.has_ended(fact.mark):
            self.sessions.ended(fact)
            self._forget_session(fact.mark)

    def known_of_sessions(self) -> list[Fact]:
        """For a control that was started anew."""
        return [*self.sessions.all_ended(), *self.notes.all()]

    def soon(self, errand: "Coroutine[None, None, None]") -> None:
        """Do something that nobody waits for."""
        task = asyncio.get_running_loop().create_task(self._errand(errand))
        self.errands.add(task)
        task.add_done_callback(self.errands.discard)

    async def _errand(self, errand: "Coroutine[None, None, None]") -> None:
        try:
            async with asyncio.timeout(_ERRAND_S):
                await errand
        except (Fault, TimeoutError) as error:
            log.debug("errand_failed", exc=error)

    def _forget_session(self, mark: bytes) -> None:
        self.homes.end(mark)
        for (session, _), call in list(self.by_request.items()):
            if session == mark:
                call.stop(None)

    def recheck(self, call: ActiveCall) -> None:
        """Cut off `call` if the newest snapshot no longer allows it."""
        if self.view is not None:
            self._cut_if_revoked(call, self.view.endpoints, self.view.authenticator)

    def _cut_if_revoked(self, call: ActiveCall, endpoints: Endpoints, authenticator: Authenticator) -> None:
        identity = authenticator.still(call.identity, clock.now())
        endpoint = None if identity is None else endpoints.at(call.endpoint, identity)
        if identity is None or endpoint is None or endpoint.find(call.item, identity.allowed) is None:
            log.info("call_cut", credential=call.identity.credential, kind=call.item.kind)
            call.stop(Fault(REVOKED))

    def forget(self, call: ActiveCall) -> None:
        """A call ended."""
        self.calls.discard(call)
        if call.parked_as:
            self.parking.drop(call)

    def tick(self) -> None:
        """Once in a while: end calls whose credential expired, show clients and proxies that the others still run."""
        now, moment = clock.monotonic(), clock.now()
        self.refused.report()
        for call in self.calls:
            if call.cut is None and call.identity.until is not None and moment >= call.identity.until:
                call.stop(Fault(REVOKED))
            call.outlet.keep_alive_if_due(now)
        self.kept.tick(now)
        self.homes.tick(now, moment)
        self.hub.tick(now, moment)
