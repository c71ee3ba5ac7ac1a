"""Clients that speak 2025-11-25 and earlier: sessions, notifications, responses, then the methods."""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import about, answers, record
from mcp_platform.gateway.asked import slot_of
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.errors import PARKED_GONE, RESPONSE_UNEXPECTED
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.methods import SERVED
from mcp_platform.gateway.outlet import Exchange
from mcp_platform.gateway.owners import HopExchange
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.sessions import Session, capabilities_of
from mcp_platform.gateway.world import View, World
from mcp_platform.net.transports.model import Answer
from mcp_platform.wire import headers as names
from mcp_platform.wire import jsonrpc, modern, versions
from mcp_platform.wire.errors import HEADER_MISMATCH, INVALID_PARAMS, METHOD_NOT_FOUND
from mcp_platform.wire.methods import METHODS
from mcp_platform.wire.modern import Meta


async def serve(
    world: World,
    view: View,
    endpoint: Endpoint,
    exchange: Exchange,
    identity: Identity,
    message: jsonrpc.Message,
) -> None:
    """Answer one message. Raises Fault."""
    if message.method == "initialize" and message.kind == "request":
        record.answered(world, exchange, identity, message.method)
        _initialize(world, endpoint, exchange, identity, message)
        return
    _refuse_headless_modern(message)
    session = world.sessions.open(exchange.headers.get(names.SESSION), identity)
    # What another worker sent on is in that worker's record already; an answer to a question is in its owner's.
    sent = message.method in METHODS and METHODS[message.method].sent
    if message.kind != "response" and not sent and not is_hop(exchange):
        record.answered(world, exchange, identity, message.method, session.mark)
    if message.kind == "response":
        await _response(world, exchange, identity, session, message)
    elif message.kind == "notification":
        _notification(world, exchange, session, message)
    else:
        await _request(world, view, endpoint, exchange, identity, message, session)


def end_session(world: World, exchange: Exchange, identity: Identity) -> None:
    """DELETE: the client ends its session. Raises Fault(session_missing, session_unknown)."""
    session = world.sessions.open(exchange.headers.get(names.SESSION), identity)
    record.answered(world, exchange, identity, "DELETE /mcp", session.mark)
    ended = world.sessions.end(session)
    if not world.to_tell.full():
        world.to_tell.put_nowait(ended)
    for (mark, _), call in list(world.by_request.items()):
        if mark == session.mark:
            call.stop(None)
    exchange.reply(200)


def _initialize(
    world: World, endpoint: Endpoint, exchange: Exchange, identity: Identity, message: jsonrpc.Message
) -> None:
    version, capabilities = message.params.get("protocolVersion"), message.params.get("capabilities")
    info = message.params.get("clientInfo")
    if not isinstance(version, str) or not isinstance(capabilities, dict) or not isinstance(info, dict):
        text = "`initialize` needs protocolVersion (text), capabilities (an object) and clientInfo (an object)."
        raise Fault(INVALID_PARAMS, text)
    agreed = versions.negotiate(version)
    raw = message.raw
    session = world.sessions.begin(identity, agreed, bytes(raw["capabilities"]), bytes(raw["clientInfo"]))
    result = {
        "protocolVersion": agreed,
        "capabilities": about.capabilities(endpoint, identity.allowed, modern=False),
        "serverInfo": answers.SERVER_INFO,
        "instructions": about.instructions(endpoint, identity.allowed),
    }
    assert message.id is not None, "a request has an id"
    body = jsonrpc.result(message.id, msgspec.json.encode(result))
    exchange.reply(200, body, answers.JSON, b"Mcp-Session-Id: " + session.encode() + b"\r\n")


def _refuse_headless_modern(message: jsonrpc.Message) -> None:
    """A modern body without the modern header is told so; as a legacy request it would only miss a session."""
    meta = message.params.get("_meta")
    if isinstance(meta, dict) and meta.get(versions.VERSION_KEY) in versions.MODERN_VERSIONS:
        text = f"The header MCP-Protocol-Version must be present and say the same as `_meta.{versions.VERSION_KEY}`."
        raise Fault(HEADER_MISMATCH, text, {"header": "MCP-Protocol-Version"})


def _notification(world: World, exchange: Exchange, session: Session, message: jsonrpc.Message) -> None:
    if message.method == "notifications/cancelled":
        identity = message.params.get("requestId")
        call = world.by_request.get((session.mark, identity)) if isinstance(identity, str | int) else None
        if call is not None:
            call.stop(None)
        elif not is_hop(exchange):
            world.owners.tell_others(exchange)
    exchange.reply(202)


async def _response(
    world: World, exchange: Exchange, identity: Identity, session: Session, message: jsonrpc.Message
) -> None:
    slot = slot_of(message.id)
    if slot is None:
        raise Fault(RESPONSE_UNEXPECTED)
    if slot != world.slot:
        if is_hop(exchange):
            raise Fault(PARKED_GONE)
        await world.owners.forward(slot, exchange)
        return
    record.answered(world, exchange, identity, "response", session.mark)
    world.asked.give(message.id, session.mark, Answer(result=message.result, error=message.error))
    exchange.reply(202)


async def _request(
    world: World,
    view: View,
    endpoint: Endpoint,
    exchange: Exchange,
    identity: Identity,
    message: jsonrpc.Message,
    session: Session,
) -> None:
    method = METHODS.get(message.method)
    if method is None or not method.legacy:
        raise Fault(METHOD_NOT_FOUND)
    own = modern.read_meta(message)
    meta = Meta(
        version=session.version,
        capabilities=capabilities_of(session),
        capabilities_raw=session.capabilities,
        client_info=session.client_info,
        log_level=None,
        progress_token=own.progress_token,
        rest=own.rest,
    )
    assert message.id is not None, "a request has an id"
    request = Request(
        world=world,
        view=view,
        exchange=exchange,
        identity=identity,
        endpoint=endpoint,
        message=message,
        id=message.id,
        meta=meta,
        version=session.version,
        modern=False,
        session=session.mark,
        hop=is_hop(exchange),
    )
    await SERVED[method.name](request)


def is_hop(exchange: Exchange) -> bool:
    """Whether another worker sent this request on."""
    return isinstance(exchange, HopExchange)
