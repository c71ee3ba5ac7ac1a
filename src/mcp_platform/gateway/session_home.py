"""The home of a legacy session: the worker that its mark names holds its streams and tells it of changes.

So each message goes out on exactly one stream, however many the session has open (2025-11-25, basic/transports).
"""

import asyncio

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.gateway.client_stream import ClientStream
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.exchange import Exchange
from mcp_platform.gateway.hub import Audience, Hub
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.resumption import Kept
from mcp_platform.gateway.session_notes import Notes
from mcp_platform.gateway.sessions import Session
from mcp_platform.gateway.stream_errors import STREAMS_TOO_MANY
from mcp_platform.gateway.watched import WatchedResource
from mcp_platform.net.transports.offers import KINDS
from mcp_platform.wire import jsonrpc
from mcp_platform.wire.versions import PRIMED

log = Log(__name__)
MAX_STREAMS = 8
"""Streams of one session that are open at once: clients open one, and another while the first one dies."""
_encode = msgspec.json.Encoder().encode


class SessionVoice:
    """Tells one session."""

    def __init__(self) -> None:
        self.streams: list[ClientStream] = []
        self.idle_since: float | None = clock.monotonic()
        """Since when it has no stream, not even one that may be resumed."""

    def tell(self, method: str, params: dict[str, msgspec.Raw]) -> None:
        """On the stream that was opened last: if one is dead and nobody has noticed, it is an earlier one. Without any
        that is connected, it waits in the last one for its client to come back."""
        self.prune()
        connected = [stream for stream in self.streams if stream.connected]
        chosen = (connected or self.streams)[-1:]
        for stream in chosen:
            stream.send(jsonrpc.notification(method, _encode(params)))

    def cut(self, fault: Fault | None) -> None:
        for stream in self.streams:
            stream.finish()
        self.prune()

    def keep_alive_if_due(self, now: float) -> None:
        """Each stream does that itself."""

    def prune(self) -> None:
        """Forget streams that are over."""
        self.streams = [stream for stream in self.streams if not stream.done]
        if self.streams:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = clock.monotonic()


class _Home:
    def __init__(self, audience: Audience, voice: SessionVoice, until: float) -> None:
        self.audience = audience
        self.voice = voice
        self.until = until


class Homes:
    """The sessions that are at home in this worker, as long as they have streams or subscriptions."""

    def __init__(self, hub: Hub, kept: Kept, notes: Notes, absent_s: float) -> None:
        self._hub = hub
        self._kept = kept
        self._notes = notes
        self._absent_s = absent_s
        self._homes: dict[bytes, _Home] = {}

    def __len__(self) -> int:
        return len(self._homes)

    def audience(self, session: Session, identity: Identity, endpoint: Endpoint, until: float) -> Audience:
        """The session as somebody who is told of changes. `until`: when it ends, epoch seconds."""
        return self._home(session, identity, endpoint, until).audience

    def known(self, session: bytes) -> Audience | None:
        """The same, if it is one already."""
        home = self._homes.get(session)
        return None if home is None else home.audience

    def has(self, session: bytes, stream: ClientStream) -> bool:
        """Whether `stream` is one on which the session is told of changes."""
        home = self._homes.get(session)
        return home is not None and stream in home.voice.streams

    def open(
        self, session: Session, identity: Identity, endpoint: Endpoint, until: float, exchange: Exchange
    ) -> "tuple[ClientStream, asyncio.Future[None]]":
        """A new stream of the session, and what is done when the connection has ended. Raises
        Fault(streams_too_many)."""
        home = self._home(session, identity, endpoint, until)
        home.voice.prune()
        if sum(stream.connected for stream in home.voice.streams) >= MAX_STREAMS:
            raise Fault(STREAMS_TOO_MANY)
        primes = session.version >= PRIMED
        stream = self._kept.begin(identity.principal.id, session.mark, None, answers=False, primes=primes)
        home.voice.streams.append(stream)
        return stream, stream.attach(exchange)

    def adopt(
        self, session: Session, identity: Identity, endpoint: Endpoint, until: float, stream: ClientStream
    ) -> None:
        """The session is told of changes on this stream, which carries other things, too (2024-11-05)."""
        self._home(session, identity, endpoint, until).voice.streams.append(stream)

    def may_have_missed(self, session: bytes) -> None:
        """Its stream was lost with what stood in it: tell it to look at every list."""
        home = self._homes.get(session)
        if home is not None:
            for kind in sorted(home.audience.kinds):
                home.voice.tell(f"notifications/{kind}/list_changed", {})

    async def subscribe_again(self, session: bytes, endpoint: Endpoint) -> None:
        """Listen for the resources that the session is subscribed to, where another worker knew of them."""
        home = self._homes.get(session)
        if home is None:
            return
        audience = home.audience
        items = {uri: endpoint.resource(uri, audience.identity.allowed) for uri in self._notes.of(session).uris}
        watches = [self._hub.watch(audience, WatchedResource(uri, item)) for uri, item in items.items() if item]
        for outcome in await asyncio.gather(*watches, return_exceptions=True):
            if isinstance(outcome, Fault):
                log.info("subscription_not_restored", code=outcome.kind.code)
            elif isinstance(outcome, BaseException):
                raise outcome

    def end(self, session: bytes) -> None:
        """The session is over, here and everywhere."""
        self._notes.forget(session)
        self._kept.end_session(session)
        home = self._homes.pop(session, None)
        if home is not None:
            self._hub.leave(home.audience)

    def tick(self, now: float, moment: float) -> None:
        """Let go of sessions that ended by time, or whose clients are gone. `now` is monotonic, `moment` not."""
        for mark, home in list(self._homes.items()):
            if moment > home.until:
                self.end(mark)
                continue
            home.voice.prune()
            if home.voice.idle_since is not None and now - home.voice.idle_since > self._absent_s:
                del self._homes[mark]
                self._hub.leave(home.audience)

    def _home(self, session: Session, identity: Identity, endpoint: Endpoint, until: float) -> _Home:
        home = self._homes.get(session.mark)
        if home is None:
            voice = SessionVoice()
            audience = Audience(
                identity, endpoint.name, frozenset(KINDS), voice, session.capabilities, session.client_info
            )
            home = self._homes[session.mark] = _Home(audience, voice, until)
            self._hub.join(audience)
        elif not self._hub.has(home.audience):  # it was cut; who comes now was authenticated anew
            home.audience.identity = identity
            self._hub.join(home.audience)
        return home
