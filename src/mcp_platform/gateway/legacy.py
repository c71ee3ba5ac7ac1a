"""Clients that speak 2025-11-25 and earlier: sessions, notifications, responses, then the methods."""

from functools import partial

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import about, answers, record
from mcp_platform.gateway.asked import slot_of
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.errors import PARKED_GONE, RESPONSE_UNEXPECTED
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.inner_exchange import InnerExchange
from mcp_platform.gateway.item import target_of
from mcp_platform.gateway.methods import SERVED
from mcp_platform.gateway.outlet import Exchange, Opener
from mcp_platform.gateway.owners import is_hop
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
    session = world.sessions.open(exchange.headers.get(names.SESSION), identity, endpoint.name)
    # What another worker sent on is in that worker's record already; an answer to a question is in its owner's.
    sent = message.method in METHODS and METHODS[message.method].sent
    if message.kind != "response" and not sent and not is_hop(exchange):
        record.answered(world, exchange, identity, message.method, session.mark)
    if message.kind == "response":
        await _response(world, exchange, identity, session, message)
    elif message.kind == "notification":
        _notification(world, endpoint, exchange, session, message)
    else:
        await _request(world, view, endpoint, exchange, identity, message, session)


async def end_session(world: World, endpoint: Endpoint, exchange: Exchange, identity: Identity) -> None:
    """DELETE: the client ends its session, everywhere. Raises Fault(session_missing, session_unknown)."""
    session = world.sessions.open(exchange.headers.get(names.SESSION), identity, endpoint.name)
    record.answered(world, exchange, identity, f"DELETE {exchange.path}", session.mark)
    await world.end_session(session)
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
    session = world.sessions.begin(
        identity,
        endpoint.name,
        agreed,
        bytes(raw["capabilities"]),
        bytes(raw["clientInfo"]),
        # Its streams live here, where its connection is: as long as that lasts nothing is sent on.
        lambda mark: world.owners.home_of(mark) == world.slot,
    )
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


def _notification(
    world: World, endpoint: Endpoint, exchange: Exchange, session: Session, message: jsonrpc.Message
) -> None:
    if message.method == "notifications/cancelled":
        identity = message.params.get("requestId")
        call = world.by_request.get((session.mark, identity)) if isinstance(identity, str | int) else None
        if call is not None:
            call.stop(None)
        elif not is_hop(exchange):
            world.owners.tell_others(exchange)
    elif message.method == "notifications/roots/list_changed":
        params = msgspec.json.encode(message.raw)
        for upstream in endpoint.upstreams.values():
            if upstream.enabled and upstream.interactive:
                tell = world.links.link(target_of(upstream)).tell
                world.soon(tell(session.principal, session.capabilities, message.method, params))
        if not is_hop(exchange):  # a session at a server may have been opened by any worker
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
        log_level=world.notes.of(session.mark).level,
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
        opener=_opener(world, exchange, identity, session, message.id),
    )
    await SERVED[method.name](request)


def _opener(
    world: World, exchange: Exchange, identity: Identity, session: Session, request: jsonrpc.Id
) -> Opener | None:
    """Begins a stream that the client may come back to, in revisions that can."""
    if session.version < versions.RESUMABLE or isinstance(exchange, InnerExchange):
        return None
    return partial(
        world.kept.begin,
        identity.principal.id,
        session.mark,
        request,
        answers=True,
        primes=session.version >= versions.PRIMED,
    )
