"""GET on the MCP endpoint: a legacy session's stream for what belongs to no request, or the rest of an earlier one."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import answers, record
from mcp_platform.gateway.client_stream import ClientStream
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.errors import PARKED_GONE
from mcp_platform.gateway.exchange import Exchange
from mcp_platform.gateway.hub import Audience
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.owners import is_hop
from mcp_platform.gateway.resumption import LAST_EVENT_ID, StreamName
from mcp_platform.gateway.sessions import Session
from mcp_platform.gateway.stream_errors import CALL_LOST, OWNER_AWAY
from mcp_platform.gateway.world import World
from mcp_platform.wire import headers as names
from mcp_platform.wire import sse


async def serve(world: World, endpoint: Endpoint, exchange: Exchange, identity: Identity) -> None:
    """Answer one GET. Raises Fault(session_missing, session_unknown, streams_too_many, session_worker_away)."""
    session = world.sessions.open(exchange.headers.get(names.SESSION), identity, endpoint.name)
    if not is_hop(exchange):
        record.answered(world, exchange, identity, f"GET {exchange.path}", session.mark)
    asked = exchange.headers.get(LAST_EVENT_ID)
    named = world.kept.read(asked, session.mark) if asked is not None else None
    if named is not None and named[0].answers:
        await _resume_answer(world, endpoint, exchange, identity, *named)
        return
    home = world.owners.home_of(session.mark)
    if home == world.slot:
        await _listen(world, endpoint, exchange, identity, session, named)
    elif is_hop(exchange):
        raise Fault(OWNER_AWAY)
    else:
        await world.owners.forward(home, exchange, OWNER_AWAY)


async def _resume_answer(
    world: World, endpoint: Endpoint, exchange: Exchange, identity: Identity, name: StreamName, after: int
) -> None:
    """What a call's client missed of its answer, and the rest of it; where that is gone, one clear error."""
    stream = world.kept.find(name)
    if stream is not None:
        await _attach(world, endpoint, identity, stream, exchange, after)
        return
    if name.slot != world.slot and not is_hop(exchange):
        try:
            await world.owners.forward(name.slot, exchange)
            return
        except Fault as fault:
            if fault.kind is not PARKED_GONE:
                raise
    exchange.start(200, answers.EVENTS, answers.STREAM_HEADERS)
    if name.request is not None:
        exchange.write(sse.encode(answers.fault_body(Fault(CALL_LOST), name.request)))
    exchange.end()


async def _listen(
    world: World,
    endpoint: Endpoint,
    exchange: Exchange,
    identity: Identity,
    session: Session,
    named: tuple[StreamName, int] | None,
) -> None:
    if named is not None:
        stream = world.kept.find(named[0])
        if stream is not None and world.homes.has(session.mark, stream):
            await _attach(world, endpoint, identity, stream, exchange, named[1])
            return
    with _admitted(world, identity.principal.id):
        stream, over = world.homes.open(session, identity, endpoint, world.sessions.until(session), exchange)
        with _present(world, identity, endpoint, stream, exchange):
            if LAST_EVENT_ID in exchange.headers:
                world.homes.may_have_missed(session.mark)
            await world.homes.subscribe_again(session.mark, endpoint)
            await over


async def _attach(
    world: World, endpoint: Endpoint, identity: Identity, stream: ClientStream, exchange: Exchange, after: int
) -> None:
    with _admitted(world, identity.principal.id):
        over = stream.attach(exchange, after)
        with _present(world, identity, endpoint, stream, exchange):
            await over


@contextmanager
def _admitted(world: World, principal: str) -> Iterator[None]:
    """One more stream of this principal. Raises Fault(streams_too_many)."""
    world.hub.admit(principal)
    try:
        yield
    finally:
        world.hub.release(principal)


@contextmanager
def _present(
    world: World, identity: Identity, endpoint: Endpoint, stream: ClientStream, exchange: Exchange
) -> Iterator[None]:
    """The hub cuts this connection with the credential that opened it, whichever the session's other ones have."""
    presence = Audience(identity, endpoint.name, frozenset(), _Connection(stream, exchange), b"{}", None)
    world.hub.join(presence)
    try:
        yield
    finally:
        world.hub.leave(presence)


class _Connection:
    """To the hub a voice that has nothing to say and can be cut."""

    def __init__(self, stream: ClientStream, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def tell(self, method: str, params: dict[str, msgspec.Raw]) -> None:
        """What there is to tell is told to the session."""

    def cut(self, fault: Fault | None) -> None:
        self._stream.leave(self._exchange)

    def keep_alive_if_due(self, now: float) -> None:
        """The stream does that itself."""
