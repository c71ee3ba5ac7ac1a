"""Clients that speak 2026-07-28: every request stands alone."""

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import record
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.methods import SERVED
from mcp_platform.gateway.outlet import Exchange
from mcp_platform.gateway.owners import is_hop
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.world import View, World
from mcp_platform.wire import headers as names
from mcp_platform.wire import jsonrpc, modern, versions
from mcp_platform.wire.errors import INVALID_REQUEST, METHOD_NOT_FOUND, VERSION_UNSUPPORTED
from mcp_platform.wire.methods import METHODS


async def serve(
    world: World,
    view: View,
    endpoint: Endpoint,
    exchange: Exchange,
    identity: Identity,
    message: jsonrpc.Message,
) -> None:
    """Answer one message. Raises Fault."""
    if message.kind == "response":
        raise Fault(INVALID_REQUEST)
    if message.kind == "notification" or message.id is None:
        record.answered(world, exchange, identity, message.method)
        _acknowledge(exchange)
        return
    meta = modern.check(message, exchange.headers)
    method = METHODS.get(message.method)
    if method is None or not method.modern:
        raise Fault(METHOD_NOT_FOUND)
    request = Request(
        world=world,
        view=view,
        exchange=exchange,
        identity=identity,
        endpoint=endpoint,
        message=message,
        id=message.id,
        meta=meta,
        version=meta.version,
        modern=True,
        session=b"",
        hop=is_hop(exchange),
    )
    if not method.sent:
        record.answered(world, exchange, identity, method.name)
    await SERVED[method.name](request)


def _acknowledge(exchange: Exchange) -> None:
    """No notification of a client means anything over HTTP in 2026-07-28: a client cancels by closing the stream."""
    requested = exchange.headers.get(names.VERSION, "")
    if requested not in versions.MODERN_VERSIONS:
        data: dict[str, object] = {"supported": list(versions.MODERN_VERSIONS), "requested": requested}
        raise Fault(VERSION_UNSUPPORTED, data=data)
    exchange.reply(202)
