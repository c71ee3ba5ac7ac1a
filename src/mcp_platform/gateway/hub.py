"""Who hears of what: every open stream of a client that is told of changes, and what it is told.

Changes of lists are joined for a moment and told to those alone whose lists are others now. Whoever may no longer see
something hears no more of it; whose credential is gone is cut.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.features.upstreams.model import UpstreamRow
from mcp_platform.gateway.endpoints import Endpoints
from mcp_platform.gateway.errors import REVOKED
from mcp_platform.gateway.identity import Authenticator, Identity
from mcp_platform.gateway.item import target_of
from mcp_platform.gateway.stream_errors import STREAMS_TOO_MANY, SUBSCRIPTIONS_TOO_MANY
from mcp_platform.gateway.topics import task_topic, uri_of_topic, uri_topic
from mcp_platform.gateway.upstream_ears import Ears, Place
from mcp_platform.gateway.visible import Visible
from mcp_platform.gateway.watched import Watched
from mcp_platform.net.transports.links import UpstreamLinks
from mcp_platform.net.transports.offers import KINDS, UPDATED, subject_of, watched_as

log = Log(__name__)
JOIN_S = 0.05
"""Seconds that changes are collected before they are told: a server that adds ten tools changes its list once."""
MAX_WATCHED = 200
"""Resources and tasks that one session or stream may be subscribed to."""
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class Voice(Protocol):
    """The way to one audience."""

    def tell(self, method: str, params: dict[str, msgspec.Raw]) -> None:
        """Send a notification."""

    def cut(self, fault: Fault | None) -> None:
        """End it: nothing more is told. `fault`: why, where that is the client's to know."""

    def keep_alive_if_due(self, now: float) -> None: ...


@dataclass(eq=False, slots=True)
class Audience:
    """A legacy session with its streams, or one `subscriptions/listen`."""

    identity: Identity
    endpoint: str
    kinds: frozenset[str]
    """Kinds of lists whose changes it wants to hear of."""
    voice: Voice
    capabilities: bytes
    client_info: bytes | None
    watched: dict[str, Watched] = field(default_factory=dict)
    """Resources and tasks that it wants to hear of, by the name it asked for."""
    seen: dict[str, int] = field(default_factory=dict)
    """How its lists looked when it was last told."""
    lists: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    """Where one listens for changes of its lists, and of which."""
    changed: set[str] = field(default_factory=set)
    """Kinds of lists that it is about to be told of."""
    news: dict[str, tuple[str, dict[str, msgspec.Raw]]] = field(default_factory=dict)
    """Resources and tasks that it is about to be told of, by name: the notification."""

    def place(self, upstream: UpstreamRow) -> Place:
        """Where one listens for changes of `upstream`."""
        if upstream.interactive:
            return Place(upstream.id, self.identity.principal.id, self.capabilities)
        return Place(upstream.id, None)


class Hub:
    """The audiences of one worker."""

    def __init__(self, links: UpstreamLinks, *, per_principal: int) -> None:
        self._ears = Ears(links, self._told, self._missed)
        self._per_principal = per_principal
        self._audiences: dict[Audience, None] = {}
        self._open: Counter[str] = Counter()
        self._watching: dict[Place, dict[str, dict[tuple[Audience, str], None]]] = {}
        """Place → topic → who asked for it, and by which name."""
        self._visible: Visible | None = None
        self._endpoints: Endpoints | None = None
        self._due: dict[Audience, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.hint: Callable[[str, tuple[str, ...]], None] = lambda upstream, kinds: None
        """Told of lists that may have changed unnoticed."""

    def __len__(self) -> int:
        return len(self._audiences)

    def has(self, audience: Audience) -> bool:
        """Whether it is told of changes."""
        return audience in self._audiences

    def admit(self, principal: str) -> None:
        """One more stream of this principal. Raises Fault(streams_too_many)."""
        if self._open[principal] >= self._per_principal:
            raise Fault(STREAMS_TOO_MANY)
        self._open[principal] += 1

    def release(self, principal: str) -> None:
        """One less."""
        self._open[principal] -= 1
        if self._open[principal] <= 0:
            del self._open[principal]

    def join(self, audience: Audience) -> None:
        """Tell `audience` of changes from now on."""
        self._audiences[audience] = None
        if self._visible is not None:
            audience.seen = self._looks(audience)
            self._listen_for_lists(audience)

    def leave(self, audience: Audience) -> None:
        """No more."""
        if audience not in self._audiences:
            return
        del self._audiences[audience]
        self._due.pop(audience, None)
        for name in list(audience.watched):
            self.unwatch(audience, name)
        for place, kinds in audience.lists.items():
            self._ears.remove(place, kinds)

    async def watch(self, audience: Audience, watched: Watched) -> None:
        """Tell `audience` of it from now on; returns when the upstream has agreed to tell us. Raises
        Fault(subscriptions_too_many, resource_changes_not_told, upstream_*), and then it is not watched."""
        name, upstream, topic = watched.name, watched.item.upstream, watched.topic
        if name in audience.watched:
            return
        if len(audience.watched) >= MAX_WATCHED:
            raise Fault(SUBSCRIPTIONS_TOO_MANY)
        place = audience.place(upstream)
        await self._ears.watch(place, target_of(upstream), audience.client_info, topic)
        if name in audience.watched or not self.has(audience):  # meanwhile it left, or asked twice
            self._ears.remove(place, (topic,))
            return
        audience.watched[name] = watched
        self._watching.setdefault(place, {}).setdefault(topic, {})[audience, name] = None

    def unwatch(self, audience: Audience, name: str) -> None:
        """No more of that."""
        watched = audience.watched.pop(name, None)
        if watched is None:
            return
        place, topic = audience.place(watched.item.upstream), watched.topic
        of_place = self._watching[place]
        watchers = of_place[topic]
        watchers.pop((audience, name), None)
        if not watchers:
            del of_place[topic]
            if not of_place:
                del self._watching[place]
        self._ears.remove(place, (topic,))

    async def take(self, endpoints: Endpoints, authenticator: Authenticator) -> None:
        """A new revision: cut whom it knows no more, drop what is forbidden now, tell of lists that changed."""
        self._endpoints, self._visible = endpoints, Visible(endpoints)
        everything = endpoints.named("")
        if everything is not None:
            self._ears.renew({row.id: target_of(row) for row in everything.upstreams.values() if row.enabled})
        now = clock.now()
        for number, audience in enumerate(list(self._audiences)):
            if number % 200 == 199:
                await asyncio.sleep(0)
            if audience in self._audiences:
                self._recheck(audience, authenticator.still(audience.identity, now))

    def lists_changed(self, upstream: str, kinds: tuple[str, ...]) -> None:
        """Lists of `upstream` are others now, or it says so."""
        if self._visible is None:
            return
        for audience in self._audiences:
            for kind in audience.kinds.intersection(kinds):
                if self._visible.concerns(audience.endpoint, audience.identity.allowed, kind, upstream):
                    self._mark(audience, kind)

    def tick(self, now: float, moment: float) -> None:
        """Once in a while: keep connections alive, cut whose credential expired. `now` is monotonic, `moment` not."""
        self._ears.tick(now)
        for audience in list(self._audiences):
            until = audience.identity.until
            if until is not None and moment >= until:
                self._cut(audience)
            else:
                audience.voice.keep_alive_if_due(now)

    def drain(self) -> None:
        """The worker stops: end every stream, so that its client comes back elsewhere."""
        for audience in list(self._audiences):
            self.leave(audience)
            audience.voice.cut(None)

    async def close(self) -> None:
        await self._ears.close()

    def _recheck(self, audience: Audience, identity: Identity | None) -> None:
        endpoint = None
        if identity is not None and self._endpoints is not None:
            endpoint = self._endpoints.at(audience.endpoint, identity)
        if identity is None or endpoint is None:
            self._cut(audience)
            return
        audience.identity = identity
        for name, watched in list(audience.watched.items()):
            if not watched.is_there(endpoint, identity.allowed):
                self.unwatch(audience, name)
        looks = self._looks(audience)
        for kind, look in looks.items():
            if look != audience.seen.get(kind):
                self._mark(audience, kind)
        audience.seen = looks
        self._listen_for_lists(audience)

    def _cut(self, audience: Audience) -> None:
        log.info("stream_cut", credential=audience.identity.credential)
        self.leave(audience)
        audience.voice.cut(Fault(REVOKED))

    def _looks(self, audience: Audience) -> dict[str, int]:
        assert self._visible is not None, "nobody is let in before the first snapshot"
        allowed = audience.identity.allowed
        return {kind: self._visible.look(audience.endpoint, allowed, kind) for kind in audience.kinds}

    def _listen_for_lists(self, audience: Audience) -> None:
        """At each server whose things it sees and which announces changes. Not at processes of its own: their news
        come with its calls, and one would have to be started to hear more."""
        assert self._visible is not None, "nobody is let in before the first snapshot"
        sources = self._visible.sources(audience.endpoint, audience.identity.allowed, audience.kinds)
        lists = {audience.place(row): kinds for row, kinds in sources}
        if lists == audience.lists:
            return
        before, audience.lists = audience.lists, lists
        for row, kinds in sources:
            if before.get(audience.place(row)) != kinds:
                self._ears.add(audience.place(row), target_of(row), audience.client_info, kinds)
        for place, kinds in before.items():
            if lists.get(place) != kinds:
                self._ears.remove(place, kinds)

    def _told(self, place: Place, method: str, params: bytes) -> None:
        """News of a task; or a resource that changed, or one below it (2025-11-25, server/resources)."""
        own = subject_of(method, params)
        if own is None:
            return
        members = _members.decode(params)
        of_place = self._watching.get(place, {})
        topics = map(uri_topic, watched_as(own)) if method == UPDATED else (task_topic(own),)
        for topic in topics:
            for audience, name in of_place.get(topic, ()):
                watched = audience.watched[name]
                shown = watched.shown(own)
                audience.news[shown] = (method, {**members, watched.member: msgspec.Raw(_encode(shown))})
                self._soon(audience)

    def _missed(self, place: Place) -> None:
        """What was broken is whole again: whoever waits for changes there is told that there may have been some. How a
        task stands only its server knows; its client asks."""
        self.hint(place.upstream, KINDS)
        for topic in list(self._watching.get(place, ())):
            uri = uri_of_topic(topic)
            if uri is not None:
                self._told(place, UPDATED, _encode({"uri": uri}))

    def _mark(self, audience: Audience, kind: str) -> None:
        audience.changed.add(kind)
        self._soon(audience)

    def _soon(self, audience: Audience) -> None:
        self._due[audience] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(JOIN_S, self._tell)

    def _tell(self) -> None:
        self._timer = None
        due, self._due = self._due, {}
        for audience in due:
            changed, audience.changed = audience.changed, set()
            news, audience.news = audience.news, {}
            for kind in sorted(changed):
                audience.voice.tell(f"notifications/{kind}/list_changed", {})
            for method, params in news.values():
                audience.voice.tell(method, params)
