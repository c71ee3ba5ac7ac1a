"""One request for /mcp, as a straight line.

Origin, Host, path and the form of the credential were checked at the end of the headers (see app.py), before a byte of
the body was kept. From here on one revision of the snapshot is read from start to end.
"""

from collections.abc import Awaitable, Callable

from mcp_platform.base import clock, ids
from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.gateway import answers, batches, legacy, legacy_stream, modern, record, sse_endpoints
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.endpoints import MCP
from mcp_platform.gateway.errors import PATH_UNKNOWN, SESSION_MISSING, SESSION_UNKNOWN
from mcp_platform.gateway.exchange import Exchange
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.inner_exchange import InnerExchange
from mcp_platform.gateway.owners import is_hop
from mcp_platform.gateway.paths import SSE, endpoint_name, place_of
from mcp_platform.gateway.stream_errors import BATCH_INITIALIZE
from mcp_platform.gateway.tokens import KeyUnknown, SignatureDue
from mcp_platform.gateway.world import View, World
from mcp_platform.wire import headers as names
from mcp_platform.wire import jsonrpc
from mcp_platform.wire.errors import HEADER_MISMATCH, VERSION_UNSUPPORTED
from mcp_platform.wire.versions import is_modern

log = Log(__name__)
_OF_THE_TRANSPORT = (SESSION_MISSING, SESSION_UNKNOWN, HEADER_MISMATCH, VERSION_UNSUPPORTED)


async def serve(world: World, exchange: Exchange) -> None:
    """Answer one request of an agent. Every failure is answered; none leaves this function."""
    caller: Identity | None = None
    modern_one = is_modern(exchange.headers.get(names.VERSION))
    try:
        view = world.now_known()
        view, caller = await _identify(world, view, exchange)
        kind, endpoint = _place(view, exchange, caller)
        if kind == MCP and exchange.method == "POST" and (modern_one or not batches.is_one(exchange.body)):
            await _message(world, view, endpoint, exchange, caller)
        else:
            await _transport(world, view, kind, endpoint, exchange, caller)
    except Fault as fault:
        record.refused(world, exchange, fault, caller)
        refuse(exchange, fault, None, modern=modern_one, attributed=False)
    except Exception as error:  # the root of a request: one that fails in a way we did not foresee ends alone
        error_id = ids.random_text(12)
        log.error("request_failed", exc=error, error_id=error_id)
        refuse(exchange, Fault(INTERNAL), None, modern=modern_one, attributed=False, error_id=error_id)


async def _message(
    world: World, view: View, endpoint: Endpoint, exchange: Exchange, caller: Identity, *, batched: bool = False
) -> None:
    """Answer one message, wherever it stood. No failure leaves this function, either."""
    stateless = is_modern(exchange.headers.get(names.VERSION))
    identity: jsonrpc.Id | None = None
    message: jsonrpc.Message | None = None
    attributed = False
    try:
        message = jsonrpc.parse(exchange.body)
        identity = message.id
        attributed = message.kind == "request"
        if not is_hop(exchange):  # where it came in, it was counted
            view.limits.admit(exchange, caller, message, endpoint)
        if batched and message.method == "initialize":
            raise Fault(BATCH_INITIALIZE)
        dialect = modern if stateless else legacy
        await dialect.serve(world, view, endpoint, exchange, caller, message)
    except Fault as fault:
        record.refused(world, exchange, fault, caller, message, endpoint)
        refuse(exchange, fault, identity, modern=stateless, attributed=attributed)
    except Exception as error:  # as above: a message in a batch ends alone, too
        error_id = ids.random_text(12)
        log.error("request_failed", exc=error, error_id=error_id)
        refuse(exchange, Fault(INTERNAL), identity, modern=stateless, attributed=attributed, error_id=error_id)


async def _transport(
    world: World, view: View, kind: str, endpoint: Endpoint, exchange: Exchange, caller: Identity
) -> None:
    """Answer what is no single message: streams, batches, the end of a session. Raises Fault."""

    def one(*, batched: bool) -> Callable[[InnerExchange], Awaitable[None]]:
        async def serve_one(inner: InnerExchange) -> None:
            # What comes later on a stream is judged by what is known then.
            now = world.view or view
            await _message(world, now, endpoint, inner, caller, batched=batched)

        return serve_one

    if exchange.method == "POST" and kind == MCP:
        await batches.serve(world, endpoint, exchange, caller, one(batched=True))
        return
    if exchange.method == "POST":
        await sse_endpoints.post(world, endpoint, exchange, caller, one(batched=False))
        return
    if not is_hop(exchange):
        view.limits.admit(exchange, caller, None, endpoint)
    if exchange.method == "DELETE":
        await legacy.end_session(world, endpoint, exchange, caller)
    elif kind == SSE:
        await sse_endpoints.open_stream(world, endpoint, exchange, caller)
    else:
        await legacy_stream.serve(world, endpoint, exchange, caller)


def _place(view: View, exchange: Exchange, caller: Identity) -> tuple[str, Endpoint]:
    """What kind of path it is, and what its URL offers its caller. Raises Fault(path_unknown)."""
    place = place_of(exchange.path)
    endpoint = None if place is None else view.endpoints.at(place.name, caller)
    if place is None or endpoint is None:
        raise Fault(PATH_UNKNOWN)
    return place.kind, endpoint


async def _identify(world: World, view: View, exchange: Exchange) -> tuple[View, Identity]:
    """The caller, and the snapshot that knows it. Failures are counted by address. Raises Fault."""
    try:
        try:
            return _known(view, exchange)
        except KeyUnknown as unknown:
            if not await world.renewal.wait(unknown.issuer):
                raise
            return await _known_in_turn(world, exchange)
        except SignatureDue:
            return await _known_in_turn(world, exchange)
    except Fault as fault:
        if fault.kind.http == 401:
            view.limits.failed(exchange.address, exchange.path)
        raise


async def _known_in_turn(world: World, exchange: Exchange) -> tuple[View, Identity]:
    """As `_known`, under the newest snapshot; later, where the address has failed too often. Raises Fault."""
    try:
        return _known(world.now_known(), exchange)
    except SignatureDue:
        return await world.turns.take(exchange, lambda: _known(world.now_known(), exchange, in_turn=True))


def _known(view: View, exchange: Exchange, *, in_turn: bool = False) -> tuple[View, Identity]:
    """Raises Fault, KeyUnknown, SignatureDue."""

    def guard() -> None:
        if not in_turn:
            view.limits.guard(exchange.address, exchange.path)

    return view, view.authenticator.identify(exchange.headers, endpoint_name(exchange.path), clock.now(), guard)


def refuse(
    exchange: Exchange,
    fault: Fault,
    identity: jsonrpc.Id | None,
    *,
    modern: bool,
    attributed: bool,
    error_id: str | None = None,
) -> None:
    """Answer with a refusal, unless an answer has begun."""
    if exchange.started or exchange.gone:
        return
    # Sessions and MCP's headers are a matter of the transport: the specification gives them an HTTP status in every
    # era, and by that clients know to initialise again (2025-11-25, basic/transports).
    attributed = attributed and fault.kind not in _OF_THE_TRANSPORT
    status = answers.status_of(fault, modern=modern, attributed=attributed)
    if identity is None and fault.kind.jsonrpc in (-32700, -32600, -32602):
        identity = jsonrpc.id_of(exchange.body)
    exchange.reply(status, answers.fault_body(fault, identity, error_id), answers.JSON, answers.fault_headers(fault))
