"""`search_tools` and `call_tool`: two tools in place of hundreds, where a virtual server has the search of tools.

What is found is what the caller may use, and a call goes the way of every call: it is resolved, permitted, checked and
recorded as the tool that is meant.
"""

from typing import Any

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.validation.check import ArgumentSchema
from mcp_platform.features.virtualservers.model import CALL_SCHEMA, SEARCH_SCHEMA, SEARCH_TOOLS, USUAL_FOUND
from mcp_platform.gateway import answers, arguments, record
from mcp_platform.gateway.request import Request
from mcp_platform.wire.errors import INVALID_PARAMS

MAX_FOUND_BYTES = 256 * 1024
"""Bytes of definitions in one answer, beyond the first: about 64,000 tokens, more than an agent has a use for."""
NOTHING = "No tool fits these words. Try others: what the tool works on, and what it does with it."

_SEARCH = ArgumentSchema(SEARCH_SCHEMA)
_CALL = ArgumentSchema(CALL_SCHEMA)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


async def search(request: Request) -> None:
    """Answer one call of `search_tools`. Raises Fault."""
    given = _given(request)
    problem = _SEARCH.check(given)
    if problem is not None:
        arguments.refuse(request, problem)
        return
    method = f"tools/call {SEARCH_TOOLS}"
    record.answered(request.world, request.exchange, request.identity, method, request.session)
    index = await request.world.searches.index(
        request.view.snapshot.revision, request.endpoint, request.identity.allowed
    )
    found: list[msgspec.Raw] = []
    room = MAX_FOUND_BYTES
    for name in index.find(given["query"], int(given.get("limit", USUAL_FOUND))):
        row = request.endpoint.tools[name]
        definition = request.endpoint.definition("tools", name, row.definition)
        room -= len(definition)
        if found and room < 0:
            break
        found.append(msgspec.Raw(definition))
    value = {"tools": found}
    text = _encode(value).decode() if found else NOTHING
    result = {"content": [{"type": "text", "text": text}], "structuredContent": value}
    request.outlet().result(answers.complete(result, modern=request.modern))


def _given(request: Request) -> dict[str, Any]:
    given = request.params.get("arguments", {})
    if not isinstance(given, dict):
        raise Fault(INVALID_PARAMS, "`arguments` must be an object.")
    return given


def inner(request: Request) -> Request | None:
    """A call of `call_tool` as the call that it means; None where it was answered: its arguments do not fit. Raises
    Fault(params_invalid)."""
    given = _given(request)
    problem = _CALL.check(given)
    if problem is not None:
        arguments.refuse(request, problem)
        return None
    message = request.message
    raw = _members.decode(message.raw["arguments"])
    own = {name: value for name, value in message.params.items() if name not in ("name", "arguments")}
    own_raw = {name: value for name, value in message.raw.items() if name not in ("name", "arguments")}
    meant = msgspec.structs.replace(message, params={**own, **given}, raw={**own_raw, **raw})
    return msgspec.structs.replace(request, message=meant)
