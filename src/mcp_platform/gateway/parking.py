"""Parked calls: a modern client's call whose server waits for an answer from that client.

The call lives in the worker that made it. What the client holds is a `requestState` that names that worker and is
sealed, single use, and bound to everything the call was authorised by; whoever resumes is authorised anew.
"""

import hashlib
from collections import Counter
from typing import Any

import msgspec

from mcp_platform.base import clock, ids
from mcp_platform.base.errors import Fault
from mcp_platform.gateway.active import ActiveCall
from mcp_platform.gateway.errors import PARKED_GONE, PARKED_TOO_MANY, STATE_INVALID
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.sealed import Seal
from mcp_platform.net.transports.model import Answer


class RequestState(msgspec.Struct, frozen=True, array_like=True):
    """What a requestState says."""

    kind: str
    """`parked`: a call waits at `slot`. `relayed`: nothing waits; `inner` is the upstream's own state."""
    principal: str
    agent: str
    credential: str
    upstream: str
    endpoint: str
    method: str
    definition: str
    """Hash of the definition of what was asked for, when the call was authorised."""
    digest: bytes
    """Of the parameters."""
    expires: float
    slot: int = -1
    boot: str = ""
    parked: str = ""
    round: int = 0
    inner: str | None = None


class Asked(msgspec.Struct, frozen=True):
    """What a request asks, as far as its state is bound to it."""

    endpoint: str
    method: str
    digest: bytes
    """Of the parameters."""


def digest_of(params: dict[str, Any]) -> bytes:
    """The same for every spelling of the same parameters, less what a retry adds."""
    plain = {name: value for name, value in params.items() if name not in ("_meta", "inputResponses", "requestState")}
    return hashlib.blake2b(msgspec.json.encode(plain, order="deterministic"), digest_size=16).digest()


class Parking:
    """The parked calls of one worker."""

    def __init__(self, seal: Seal[RequestState], slot: int, *, per_principal: int, ttl_s: float) -> None:
        self._seal = seal
        self.slot = slot
        self.boot = ids.random_text(8)
        self._per_principal = per_principal
        self._ttl_s = ttl_s
        self._calls: dict[str, tuple[ActiveCall, RequestState]] = {}
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._calls)

    def park(self, call: ActiveCall, digest: bytes) -> str:
        """Keep `call`, or keep it on for its next round, and name it for the client. Raises
        Fault(parked_calls_too_many)."""
        principal = call.identity.principal.id
        before = 0
        if call.parked_as:
            before = self._calls[call.parked_as][1].round
        elif self._held[principal] >= self._per_principal:
            raise Fault(PARKED_TOO_MANY)
        else:
            call.parked_as = ids.random_text(16)
            self._held[principal] += 1
        state = self._of_call(call, digest, name=call.parked_as, turn=before + 1)
        self._calls[call.parked_as] = (call, state)
        return self._seal.seal(state)

    def relay(self, call: ActiveCall, digest: bytes, inner: str | None) -> str:
        """A state around the state of a modern upstream, which holds nothing here."""
        state = self._of_call(call, digest, name="", turn=0)
        return self._seal.seal(msgspec.structs.replace(state, kind="relayed", inner=inner))

    def open(self, text: object, identity: Identity, item: Item, asked: "Asked") -> RequestState:
        """The state, if it was made for exactly this call of this caller. Raises Fault(request_state_invalid)."""
        state = self._seal.open(text) if isinstance(text, str) else None
        if state is None or clock.now() >= state.expires:
            raise Fault(STATE_INVALID)
        mine = self._state(identity, item, asked, name=state.parked, turn=state.round)
        for name in ("principal", "agent", "credential", "upstream", "endpoint", "method", "definition", "digest"):
            if getattr(mine, name) != getattr(state, name):
                raise Fault(STATE_INVALID)
        return state

    def resume(self, state: RequestState) -> ActiveCall:
        """The call that `state` names, whose turn is thereby used up. Raises Fault(parked_call_gone,
        request_state_invalid)."""
        call, current = self._calls.get(state.parked, (None, None))
        if call is None or current is None or state.boot != self.boot:
            raise Fault(PARKED_GONE)
        if state.round != current.round:
            raise Fault(STATE_INVALID)
        self._calls[state.parked] = (call, msgspec.structs.replace(current, round=current.round + 1))
        return call

    def drop(self, call: ActiveCall) -> None:
        """Forget a call that ended."""
        _, state = self._calls.pop(call.parked_as, (None, None))
        if state is not None:
            self._held[state.principal] -= 1
            if not self._held[state.principal]:
                del self._held[state.principal]

    def _of_call(self, call: ActiveCall, digest: bytes, *, name: str, turn: int) -> RequestState:
        asked = Asked(call.endpoint, call.call.method, digest)
        return self._state(call.identity, call.item, asked, name=name, turn=turn)

    def _state(self, identity: Identity, item: Item, asked: "Asked", *, name: str, turn: int) -> RequestState:
        return RequestState(
            kind="parked",
            principal=identity.principal.id,
            agent=identity.agent,
            credential=identity.credential,
            upstream=item.upstream.id,
            endpoint=asked.endpoint,
            method=asked.method,
            definition=item.definition,
            digest=asked.digest,
            expires=clock.now() + self._ttl_s,
            slot=self.slot,
            boot=self.boot,
            parked=name,
            round=turn,
        )


def give_answers(call: ActiveCall, responses: dict[str, msgspec.Raw]) -> None:
    """Hand the client's answers to the questions they belong to. Others are ignored (2026-07-28)."""
    for key, value in responses.items():
        question = call.questions.get(key)
        if question is not None and not question.answer.done():
            question.answer.set_result(Answer(result=bytes(value)))
