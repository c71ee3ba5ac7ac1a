"""The two endpoints of 2024-11-05 (HTTP+SSE): a GET opens a stream and learns where to post; answers come as events.

The address to post to holds a sealed id that names the worker and the stream and is good for one caller alone; each
POST is authenticated anew. The session lives and ends with the stream.
"""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import record
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.exchange import Exchange
from mcp_platform.gateway.hub import Audience
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.inner_exchange import InnerExchange
from mcp_platform.gateway.owners import is_hop
from mcp_platform.gateway.paths import messages_path
from mcp_platform.gateway.sse_connections import SseConnection
from mcp_platform.gateway.stream_errors import ENDPOINT_UNKNOWN, MESSAGES_TOO_MANY
from mcp_platform.gateway.world import World
from mcp_platform.wire import headers as names
from mcp_platform.wire import jsonrpc, sse

MAX_MESSAGES = 64
"""Messages of one connection that are answered at once."""
ID = "session_id"
"""The query parameter that holds the sealed id."""
Serve = Callable[[InnerExchange], Awaitable[None]]


async def open_stream(world: World, endpoint: Endpoint, exchange: Exchange, identity: Identity) -> None:
    """GET: the stream, until one side ends it. Raises Fault(streams_too_many)."""
    record.answered(world, exchange, identity, f"GET {exchange.path}")
    principal = identity.principal.id
    world.hub.admit(principal)
    connection = world.sse.begin(exchange, principal)
    presence = Audience(identity, endpoint.name, frozenset(), connection, b"{}", None)
    world.hub.join(presence)
    try:
        over = connection.stream.attach(exchange)
        address = f"{messages_path(endpoint.name)}?{ID}={world.sse.address(connection, identity, endpoint.name)}"
        exchange.write(sse.encode(address.encode(), "endpoint"))
        await over
    finally:
        world.hub.leave(presence)
        world.hub.release(principal)
        world.sse.end(connection)
        if connection.session is not None:
            await world.end_session(connection.session)


async def post(world: World, endpoint: Endpoint, exchange: Exchange, identity: Identity, one: Serve) -> None:
    """POST: a message for an open stream of the same caller; `one` answers it there. Raises
    Fault(message_endpoint_unknown, messages_too_many, json_*, request_invalid)."""
    given = parse_qs(exchange.query).get(ID, [""])
    sse_id = world.sse.read(given[0], identity, endpoint.name)
    if sse_id is None:
        raise Fault(ENDPOINT_UNKNOWN)
    if sse_id.slot != world.slot:
        if is_hop(exchange):
            raise Fault(ENDPOINT_UNKNOWN)
        await world.owners.forward(sse_id.slot, exchange, ENDPOINT_UNKNOWN)
        return
    connection = world.sse.find(sse_id)
    if connection is None:
        raise Fault(ENDPOINT_UNKNOWN)
    if len(connection.running) >= MAX_MESSAGES:
        raise Fault(MESSAGES_TOO_MANY)
    jsonrpc.parse(exchange.body)  # what is no message is refused here, and not on the stream
    exchange.reply(202)
    inner = _inner(connection, exchange)
    task = asyncio.create_task(_answer(world, endpoint, connection, identity, inner, one))
    connection.running[task] = inner
    task.add_done_callback(lambda done: connection.running.pop(done, None))


def _inner(connection: SseConnection, exchange: Exchange) -> InnerExchange:
    headers = {name: value for name, value in exchange.headers.items() if name != names.SESSION}
    if connection.session_id is not None:
        headers[names.SESSION] = connection.session_id
    inner = InnerExchange(
        connection.exchange,
        exchange.body,
        headers,
        whole=lambda body: connection.write(sse.encode(body)),
        part=connection.write,
    )
    inner.path, inner.address = exchange.path, exchange.address
    return inner


async def _answer(
    world: World,
    endpoint: Endpoint,
    connection: SseConnection,
    identity: Identity,
    inner: InnerExchange,
    one: Serve,
) -> None:
    await one(inner)
    if inner.new_session is None:
        return
    before = connection.session
    session = world.sessions.open(inner.new_session, identity, endpoint.name)
    connection.session, connection.session_id = session, inner.new_session
    world.homes.adopt(session, identity, endpoint, world.sessions.until(session), connection.stream)
    if before is not None:
        await world.end_session(before)
