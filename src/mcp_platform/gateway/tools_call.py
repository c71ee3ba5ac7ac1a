"""tools/call: which tool, whether its arguments fit and agree with the headers that mirror them, then the call."""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.virtualservers.model import CALL_TOOL, SEARCH_TOOLS
from mcp_platform.gateway import arguments, calls, tasks, tool_search
from mcp_platform.gateway.errors import TASKS_NOT_SERVED, TOOL_UNKNOWN
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.resume import is_retry, resume
from mcp_platform.gateway.schemas import Schema
from mcp_platform.wire import param_headers
from mcp_platform.wire.errors import INVALID_PARAMS

_encode = msgspec.json.Encoder().encode
_NO_ARGUMENTS = msgspec.Raw(b"{}")


async def call_tool(request: Request) -> None:
    """Answer one tools/call. Raises Fault before anything was sent upstream; later failures go to the outlet."""
    if not request.modern and "task" in request.params:
        raise Fault(TASKS_NOT_SERVED)
    if request.endpoint.tool_search:
        name = request.params.get("name")
        if name == SEARCH_TOOLS:
            await tool_search.search(request)
            return
        if name == CALL_TOOL:
            inner = tool_search.inner(request)
            if inner is not None:
                await _call(inner, mirrored=False)
            return
    await _call(request, mirrored=True)


async def _call(request: Request, *, mirrored: bool) -> None:
    """`mirrored`: the client knows the tool's schema from a list, so its headers must say what its arguments say."""
    item = resolve(request)
    given = request.params.get("arguments", {})
    if not isinstance(given, dict):
        raise Fault(INVALID_PARAMS, "`arguments` must be an object.")
    assert item.tool is not None, "a tool has a row"
    schema = request.world.schemas.of(item.tool)
    if request.modern and mirrored and schema.mirrored:
        param_headers.check(schema.mirrored, given, request.exchange.headers)
    problem = schema.arguments.check(given, len(request.exchange.body))
    if problem is not None:
        arguments.refuse(request, problem)
    elif is_retry(request):
        await resume(request, item, lambda extra: _send(request, item, schema, extra))
    else:
        await _send(request, item, schema, {})


def resolve(request: Request) -> Item:
    """The tool that the request names, if its caller may use it. One that is forbidden looks exactly like one that
    does not exist. Raises Fault(params_invalid, tool_unknown)."""
    name = request.params.get("name")
    if not isinstance(name, str):
        raise Fault(INVALID_PARAMS, "`name` must be the name of a tool.")
    item = request.endpoint.tool(name, request.identity.allowed)
    if item is None:
        raise Fault(TOOL_UNKNOWN)
    return item


async def _send(request: Request, item: Item, schema: Schema, extra: calls.Params) -> None:
    given = request.message.raw.get("arguments", _NO_ARGUMENTS)
    mirrored = param_headers.mirrored(schema.mirrored, request.params.get("arguments", {})) if schema.mirrored else ()
    await calls.send(
        request,
        item,
        {"name": msgspec.Raw(_encode(item.name)), "arguments": given, **extra},
        arguments=bytes(given),
        name=item.name,
        param_headers=mirrored,
        rewrite=tasks.seen_by(request, item),
    )
