"""Streams that may be resumed, and the ids by which clients ask for that.

An id names the session, the worker where the stream began and the stream, sealed; then the number of the event. It is
worth nothing with another session's id, and a session's id nothing with another principal's credential.
"""

from collections import OrderedDict

import msgspec

from mcp_platform.base import ids
from mcp_platform.gateway.client_stream import ClientStream
from mcp_platform.gateway.sealed import Seal

LAST_EVENT_ID = "last-event-id"
MAX_KEPT_BYTES = 64 * 1024 * 1024
"""Bytes that one worker keeps of all streams for clients that may come back."""
MAX_KEPT_BYTES_OF_PRINCIPAL = 16 * 1024 * 1024
"""The same of one principal: the largest answer that a server may give by default. Its oldest stream goes first."""
MAX_KEPT_STREAMS = 10_000
"""Streams that one worker keeps, about 2 KiB each beside what was sent."""
FINISHED_S = 30.0
"""Seconds that a stream is kept after its last event went out: until then its client may find that it did not come."""
MAX_REQUEST_ID_CHARACTERS = 256
"""Characters of a request's id that go into the ids of its events; a longer one is left out."""


class StreamName(msgspec.Struct, frozen=True, array_like=True):
    """What the sealed part of an event id says."""

    session: bytes
    """Mark of the session."""
    slot: int
    boot: str
    """Incarnation of the worker: a stream dies with it."""
    stream: str
    answers: bool
    """Whether it answers a request."""
    request: str | int | None
    """JSON-RPC id of that request; None where there is none, or it is too long."""


class Kept:
    """The streams of one worker."""

    def __init__(self, seal: Seal[StreamName], slot: int, absent_s: float) -> None:
        """`absent_s`: seconds that a stream waits for its client to come back."""
        self._seal = seal
        self._slot = slot
        self._absent_s = absent_s
        self._boot = ids.random_text(8)
        self._streams: OrderedDict[str, ClientStream] = OrderedDict()
        self._of_session: dict[bytes, set[str]] = {}
        self._bytes = 0
        self._of_principal: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def begin(
        self, principal: str, session: bytes, request: str | int | None, *, answers: bool, primes: bool
    ) -> ClientStream:
        """A new stream of the session with this mark."""
        if isinstance(request, str) and len(request) > MAX_REQUEST_ID_CHARACTERS:
            request = None
        key = ids.random_text(12)
        name = self._seal.seal(StreamName(session, self._slot, self._boot, key, answers, request))
        stream = ClientStream(name, principal, session, answers=answers, primes=primes, grown=self._grown)
        self._streams[key] = stream
        self._of_session.setdefault(session, set()).add(key)
        if len(self._streams) > MAX_KEPT_STREAMS:
            self._drop(next(iter(self._streams)))
        return stream

    def read(self, event_id: str, session: bytes) -> tuple[StreamName, int] | None:
        """Which stream and event `event_id` names, if it is one of this session's."""
        text, _, number = event_id.rpartition(".")
        if not number.isdecimal() or not number.isascii() or len(number) > 18:
            return None
        name = self._seal.open(text)
        return (name, int(number)) if name is not None and name.session == session else None

    def find(self, name: StreamName) -> ClientStream | None:
        """The stream, if it is still kept here."""
        return self._streams.get(name.stream) if (name.slot, name.boot) == (self._slot, self._boot) else None

    def tick(self, now: float) -> None:
        """Keep connections alive; let go of what nobody came back for. `now`: monotonic seconds."""
        for key, stream in list(self._streams.items()):
            stream.keep_alive_if_due(now)
            if stream.left_at is not None:
                patience_s = FINISHED_S if stream.done else self._absent_s
                if now - stream.left_at > patience_s and not (stream.answers and not stream.done):
                    self._drop(key)

    def end_session(self, session: bytes) -> None:
        """Nothing of this session may be resumed."""
        for key in list(self._of_session.get(session, ())):
            self._streams[key].finish()
            self._drop(key)

    def close(self) -> None:
        """The worker stops: end the streams that answer no request. Those of calls end with their answers."""
        for stream in list(self._streams.values()):
            if not stream.answers:
                stream.finish()

    def _grown(self, stream: ClientStream, size: int) -> None:
        self._bytes += size
        held = self._of_principal.get(stream.principal, 0) + size
        if held:
            self._of_principal[stream.principal] = held
        else:
            self._of_principal.pop(stream.principal, None)
        if size <= 0:
            return
        if held > MAX_KEPT_BYTES_OF_PRINCIPAL:
            self._make_room(stream, stream.principal)
        elif self._bytes > MAX_KEPT_BYTES:
            self._make_room(stream, None)

    def _make_room(self, current: ClientStream, principal: str | None) -> None:
        """Let go of the oldest streams, of `principal` or of all, but never of the one that grows."""
        for key, stream in list(self._streams.items()):
            if stream is current or (principal is not None and stream.principal != principal):
                continue
            self._drop(key)
            if self._bytes <= MAX_KEPT_BYTES and self._of_principal.get(current.principal, 0) <= (
                MAX_KEPT_BYTES_OF_PRINCIPAL
            ):
                return

    def _drop(self, key: str) -> None:
        """What answers a request goes on with the client it has; every other stream ends, and is opened anew."""
        stream = self._streams.pop(key)
        of_session = self._of_session[stream.session]
        of_session.discard(key)
        if not of_session:
            del self._of_session[stream.session]
        if not stream.answers:
            stream.finish()
        stream.forget()
