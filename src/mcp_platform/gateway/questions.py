"""What becomes of a server's questions to the client of one call, by the client's era."""

import asyncio
from typing import Any

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import input_required
from mcp_platform.gateway.active import MAX_QUESTIONS, ActiveCall
from mcp_platform.gateway.errors import QUESTIONS_TOO_MANY
from mcp_platform.gateway.parking import digest_of
from mcp_platform.gateway.world import World
from mcp_platform.net.transports.model import Answer, Call, Link
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE
from mcp_platform.wire import capabilities
from mcp_platform.wire.errors import CAPABILITY_MISSING

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class Questions:
    """Bound to one call."""

    def __init__(self, world: World, session: bytes, call: Call, params: dict[str, Any]) -> None:
        self._world = world
        self._session = session
        self._call = call
        self._params = params

    def park(self, active: ActiveCall) -> None:
        """A modern client is answered `input_required`, and its call waits. Raises Fault(parked_calls_too_many). While
        the client thinks about earlier questions, later ones wait to be shown with its next request."""
        if active.outlet.answered:
            return
        active.input_required(self._world.parking.park(active, digest_of(self._params)))

    def send(self, active: ActiveCall, method: str, params: bytes, answer: "asyncio.Future[Answer]") -> None:
        """A legacy client is asked on the stream of its call."""
        active.outlet.ask(self._world.asked.ask(self._session, answer), method, params)

    async def relay(self, active: ActiveCall, link: Link, answer: Answer) -> Answer:
        """A modern upstream's `input_required`: passed to a modern client as it is but for the state, which is sealed;
        asked of a legacy client question by question, then the call is made again with the answers."""
        needed = input_required.read(answer)
        _refuse_undeclared(active, needed)
        if active.outlet.modern:
            return Answer(result=self._sealed(active, answer, needed.request_state), era="modern")
        for _ in range(MAX_QUESTIONS):
            responses: dict[str, msgspec.Raw] = {}
            for key, request in needed.input_requests.items():
                reply = await active.ask(request.method, input_required.legacy_params(request))
                if reply.result is None:
                    return Answer(error=reply.error, era="legacy")
                responses[key] = msgspec.Raw(reply.result)
            members = _members.decode(self._call.params)
            members["inputResponses"] = msgspec.Raw(_encode(responses))
            if needed.request_state is not None:
                members["requestState"] = msgspec.Raw(_encode(needed.request_state))
            again = await link.call(msgspec.structs.replace(self._call, params=_encode(members)), active)
            if not input_required.is_one(again):
                return again
            needed = input_required.read(again)
            _refuse_undeclared(active, needed)
        raise Fault(QUESTIONS_TOO_MANY)

    def _sealed(self, active: ActiveCall, answer: Answer, inner: str | None) -> bytes:
        members = _members.decode(answer.result or b"{}")
        state = self._world.parking.relay(active, digest_of(self._params), inner)
        members["requestState"] = msgspec.Raw(_encode(state))
        return _encode(members)


def _refuse_undeclared(active: ActiveCall, needed: input_required.InputRequired) -> None:
    """A server must not ask for what the client did not declare (2026-07-28, MRTR); the client is told what that is."""
    for request in needed.input_requests.values():
        wanted = capabilities.required(request.method, bytes(request.params))
        if wanted is None:
            raise Fault(UPSTREAM_GARBAGE)
        if not capabilities.declares(active.capabilities, wanted):
            raise Fault(CAPABILITY_MISSING, data={"requiredCapabilities": wanted})
