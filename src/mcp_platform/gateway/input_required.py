"""An upstream's own `input_required` (2026-07-28, MRTR), as a value."""

import msgspec

from mcp_platform.base import ids
from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE


class InputRequest(msgspec.Struct, frozen=True):
    """One question: a server-to-client request without an id."""

    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")


class InputRequired(msgspec.Struct, frozen=True, rename="camel"):
    """What the upstream needs before it goes on."""

    result_type: str = "complete"
    input_requests: dict[str, InputRequest] = {}
    request_state: str | None = None


def is_one(answer: Answer) -> bool:
    """Whether the answer asks for input. The search spares the decoding of every other answer."""
    if answer.era != "modern" or answer.result is None or b"input_required" not in answer.result:
        return False
    return read(answer).result_type == "input_required"


def read(answer: Answer) -> InputRequired:
    """Raises Fault(upstream_garbage)."""
    try:
        return msgspec.json.decode(answer.result or b"", type=InputRequired)
    except (msgspec.MsgspecError, ValueError):
        raise Fault(UPSTREAM_GARBAGE) from None


def legacy_params(request: InputRequest) -> bytes:
    """The question's params as a legacy client wants them: one that leads to a URL has a name there (2025-11-25), which
    2026-07-28 has no more."""
    if request.method != "elicitation/create":
        return bytes(request.params)
    try:
        members = msgspec.json.decode(request.params, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, ValueError):
        return bytes(request.params)
    if bytes(members.get("mode", b"")) != b'"url"' or "elicitationId" in members:
        return bytes(request.params)
    members["elicitationId"] = msgspec.Raw(msgspec.json.encode(ids.random_text(16)))
    return msgspec.json.encode(members)
