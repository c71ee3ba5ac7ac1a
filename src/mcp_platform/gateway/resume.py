"""A modern client's retry with answers: back to the call that waits, wherever it waits, or to the upstream itself."""

from collections.abc import Awaitable, Callable

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import record
from mcp_platform.gateway.active import ActiveCall
from mcp_platform.gateway.errors import PARKED_GONE
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.parking import Asked, RequestState, digest_of, give_answers
from mcp_platform.gateway.request import Request
from mcp_platform.wire.errors import INVALID_PARAMS

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def is_retry(request: Request) -> bool:
    """Whether a client comes back with what it was asked for (2026-07-28, MRTR)."""
    return request.modern and ("requestState" in request.params or "inputResponses" in request.params)


async def resume(
    request: Request,
    item: Item,
    start: Callable[[dict[str, msgspec.Raw]], Awaitable[None]],
) -> None:
    """Go on with the call that the request's state names. Raises Fault(request_state_invalid, parked_call_gone)."""
    world = request.world
    responses = _responses(request)
    state_text = request.params.get("requestState")
    if state_text is None:
        # Answers without a state belong to nothing of ours: the upstream may know what they are.
        await start({"inputResponses": msgspec.Raw(_encode(responses))})
        return
    asked = Asked(request.endpoint.name, request.message.method, digest_of(request.params))
    state = world.parking.open(state_text, request.identity, item, asked)
    if state.kind == "relayed":
        extra = {"inputResponses": msgspec.Raw(_encode(responses))}
        if state.inner is not None:
            extra["requestState"] = msgspec.Raw(_encode(state.inner))
        await start(extra)
    elif state.slot == world.slot:
        await _go_on(request, state, responses)
    elif request.hop:
        raise Fault(PARKED_GONE)
    else:
        await world.owners.forward(state.slot, request.exchange)


async def _go_on(request: Request, state: RequestState, responses: dict[str, msgspec.Raw]) -> None:
    record.answered(request.world, request.exchange, request.identity, f"{request.message.method} resumed")
    active = request.world.parking.resume(state)
    if active.task is None or active.task.done():
        raise Fault(PARKED_GONE)
    # Whoever resumes was authorised anew; from here on the call is theirs as they are now.
    active.identity = request.identity
    outlet = request.outlet()
    shown = active.attach(outlet)

    def gone() -> None:
        if active.outlet is outlet and not outlet.answered:
            active.stop(None)

    request.exchange.on_gone(gone)
    give_answers(active, responses)
    if _unanswered(active):
        active.ask_modern(active)
    await shown


def _unanswered(active: ActiveCall) -> bool:
    return any(not question.answer.done() for question in active.questions.values())


def _responses(request: Request) -> dict[str, msgspec.Raw]:
    value = request.params.get("inputResponses", {})
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise Fault(INVALID_PARAMS, "`inputResponses` must be an object of result objects.")
    return _members.decode(request.message.raw["inputResponses"]) if value else {}
