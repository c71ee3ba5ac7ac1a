"""tools/call: which tool, whether its arguments fit and agree with the headers that mirror them, then the call."""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.validation.check import Problem
from mcp_platform.features.validation.errors import ARGUMENTS_INVALID
from mcp_platform.gateway import answers, calls, record, tasks
from mcp_platform.gateway.errors import TASKS_NOT_SERVED, TOOL_UNKNOWN
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.resume import resume
from mcp_platform.gateway.schemas import Schema
from mcp_platform.wire import param_headers
from mcp_platform.wire.errors import INVALID_PARAMS
from mcp_platform.wire.versions import input_errors_are_results

_encode = msgspec.json.Encoder().encode
_NO_ARGUMENTS = msgspec.Raw(b"{}")


async def call_tool(request: Request) -> None:
    """Answer one tools/call. Raises Fault before anything was sent upstream; later failures go to the outlet."""
    item = resolve(request)
    arguments = request.params.get("arguments", {})
    if not isinstance(arguments, dict):
        raise Fault(INVALID_PARAMS, "`arguments` must be an object.")
    if not request.modern and "task" in request.params:
        raise Fault(TASKS_NOT_SERVED)
    assert item.tool is not None, "a tool has a row"
    schema = request.world.schemas.of(item.tool)
    if request.modern and schema.mirrored:
        param_headers.check(schema.mirrored, arguments, request.exchange.headers)
    problem = schema.arguments.check(arguments)
    if problem is not None:
        _refuse_arguments(request, problem)
    elif request.modern and ("requestState" in request.params or "inputResponses" in request.params):
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
    arguments = request.message.raw.get("arguments", _NO_ARGUMENTS)
    mirrored = param_headers.mirrored(schema.mirrored, request.params.get("arguments", {})) if schema.mirrored else ()
    await calls.send(
        request,
        item,
        {"name": msgspec.Raw(_encode(item.name)), "arguments": arguments, **extra},
        arguments=bytes(arguments),
        name=item.name,
        param_headers=mirrored,
        rewrite=tasks.seen_by(request, item),
    )


def _refuse_arguments(request: Request, problem: Problem) -> None:
    fault = Fault(ARGUMENTS_INVALID)
    record.refused(request.world, request.exchange, fault, request.identity, "tools/call")
    outlet = request.outlet()
    text, data = describe(problem), problem.as_data()
    if input_errors_are_results(request.version):
        outlet.result(answers.tool_error(text, ARGUMENTS_INVALID.code, data, modern=request.modern))
    else:
        outlet.fail(Fault(ARGUMENTS_INVALID, text, data))


def describe(problem: Problem) -> str:
    """What a model must read to do better: where, which rule, and what the schema has there."""
    lines = [
        f"{failure.pointer or '(the whole object)'}: `{failure.keyword}`"
        + (f" expects {failure.expected}" if failure.expected is not None else "")
        for failure in problem.failures
    ]
    return "\n".join([ARGUMENTS_INVALID.text, *lines])
