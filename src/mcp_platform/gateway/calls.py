"""A request that goes to an upstream: recorded, sent, relayed, and its answer released. What it is for was decided and
permitted before; nothing here decides who calls."""

import asyncio

import msgspec

from mcp_platform.gateway import kept_sessions, record
from mcp_platform.gateway.active import ActiveCall, Rewrite
from mcp_platform.gateway.item import Item, target_of
from mcp_platform.gateway.outlet import Outlet
from mcp_platform.gateway.questions import Questions
from mcp_platform.gateway.request import Request
from mcp_platform.net.transports.model import Call
from mcp_platform.wire import trace
from mcp_platform.wire.capabilities import ASKABLE

_encode = msgspec.json.Encoder().encode
_NEVER_SENT = frozenset({"_meta", "inputResponses", "requestState", "task"})
"""Members of params that we keep or that the transport sets; every other one passes verbatim."""
Params = dict[str, msgspec.Raw]


async def send(
    request: Request,
    item: Item,
    own: Params,
    *,
    arguments: bytes = b"{}",
    name: str | None = None,
    param_headers: tuple[tuple[str, str], ...] = (),
    rewrite: Rewrite | None = None,
) -> None:
    """Send the request upstream and see it answered. `own`: members of params that differ from what the client sent.
    `arguments`: JSON, for the record. `name`: the target as `Mcp-Name` has it. `rewrite`: what the client is to see
    instead of the upstream's answer. Raises Fault before anything was sent; later failures go to the outlet."""
    if kept_sessions.is_kept(item.upstream) and await kept_sessions.sent_home(request):
        return
    world = request.world
    link = world.links.link(target_of(item.upstream))
    active = _active(request, item, own, name, param_headers, rewrite)
    if request.session:  # its client may cancel it from here on
        world.by_request[request.session, request.id] = active
    own_task = asyncio.current_task()
    try:
        active.ticket = await record.intent(world.journal, request, item, arguments)
        world.calls.add(active)
        if world.view is not request.view:  # what it was allowed by is gone, and whoever took that back did not see it
            world.recheck(active)
        if request.modern and item.upstream.interactive and _may_be_asked(request):
            shown = active.attach(active.outlet)
            active.task = asyncio.create_task(active.run(link))
            active.task.add_done_callback(lambda _: world.forget(active))
            request.exchange.on_gone(lambda: _gone(active, active.outlet, request.exchange))
            await shown
        else:
            active.task = own_task
            if request.modern:
                request.exchange.on_gone(lambda: active.stop(None))
            await active.run(link)
    finally:
        if request.session:
            world.by_request.pop((request.session, request.id), None)
        if active.task is None or active.task is own_task or active.task.done():
            world.forget(active)


def _active(
    request: Request,
    item: Item,
    own: Params,
    name: str | None,
    param_headers: tuple[tuple[str, str], ...],
    rewrite: Rewrite | None,
) -> ActiveCall:
    params = {member: value for member, value in request.message.raw.items() if member not in _NEVER_SENT}
    params.update(own)
    upstream, meta = item.upstream, request.meta
    call = Call(
        method=request.message.method,
        params=_encode(params),
        meta=_encode(_continued(meta.rest)) if meta.rest else b"{}",
        name=name,
        owner=request.identity.principal.id if upstream.interactive else None,
        capabilities=meta.capabilities_raw if upstream.interactive else b"{}",
        client_info=meta.client_info if upstream.interactive else None,
        log_level=meta.log_level,
        progress=meta.progress_token is not None,
        timeout_s=upstream.call_timeout_s,
        max_result_bytes=upstream.max_result_bytes,
        param_headers=param_headers,
    )
    questions = Questions(request.world, request.session, call, request.params)
    return ActiveCall(
        identity=request.identity,
        endpoint=request.endpoint.name,
        item=item,
        call=call,
        capabilities=meta.capabilities if upstream.interactive else {},
        outlet=request.outlet(),
        ask_modern=questions.park,
        ask_legacy=questions.send,
        relay_questions=questions.relay,
        rewrite=rewrite,
        patience_s=request.world.settings.calls.parked_ttl_s,
    )


def _continued(rest: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The client's `_meta` as the upstream gets it: its trace goes on in a span of ours (W3C Trace Context)."""
    given = rest.get("traceparent")
    if given is None:
        return rest
    span = trace.child(bytes(given).decode(errors="replace").strip('"'))
    if span is None:  # what is no trace context is dropped, as the standard wants it (§3.2.1)
        return {member: value for member, value in rest.items() if member not in ("traceparent", "tracestate")}
    return {**rest, "traceparent": msgspec.Raw(_encode(span))}


def _may_be_asked(request: Request) -> bool:
    return not ASKABLE.isdisjoint(request.meta.capabilities)


def _gone(active: ActiveCall, outlet: Outlet, exchange: object) -> None:
    """The client of a modern request went away. That cancels the call (2026-07-28), unless the request was already
    answered and the call waits for its next one."""
    if outlet.exchange is exchange and active.outlet is outlet and not outlet.answered:
        active.stop(None)
