"""prompts/get: which prompt, then the call. What its arguments mean is the server's business."""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import calls
from mcp_platform.gateway.errors import PROMPT_UNKNOWN
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.resource_names import as_callers_say
from mcp_platform.gateway.resume import is_retry, resume
from mcp_platform.wire.errors import INVALID_PARAMS

_encode = msgspec.json.Encoder().encode
_NO_ARGUMENTS = msgspec.Raw(b"{}")


async def get_prompt(request: Request) -> None:
    """Answer one prompts/get. Raises Fault before anything was sent upstream; later failures go to the outlet."""
    item = _resolve(request)
    arguments = request.params.get("arguments", {})
    if not isinstance(arguments, dict) or not all(isinstance(value, str) for value in arguments.values()):
        raise Fault(INVALID_PARAMS, "`arguments` must be an object of texts.")
    if is_retry(request):
        await resume(request, item, lambda extra: _send(request, item, extra))
    else:
        await _send(request, item, {})


def _resolve(request: Request) -> Item:
    """Raises Fault(params_invalid, prompt_unknown)."""
    name = request.params.get("name")
    if not isinstance(name, str):
        raise Fault(INVALID_PARAMS, "`name` must be the name of a prompt.")
    item = request.endpoint.prompt(name, request.identity.allowed)
    if item is None:
        raise Fault(PROMPT_UNKNOWN)
    return item


async def _send(request: Request, item: Item, extra: calls.Params) -> None:
    await calls.send(
        request,
        item,
        {"name": msgspec.Raw(_encode(item.name)), **extra},
        arguments=bytes(request.message.raw.get("arguments", _NO_ARGUMENTS)),
        name=item.name,
        rewrite=as_callers_say(request.endpoint, item),
    )
