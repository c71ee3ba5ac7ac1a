"""tools/call: from the name to the upstream and back. Nothing here decides who calls; the request says."""

import asyncio

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.upstreams.model import ToolRow, UpstreamRow
from mcp_platform.features.validation.check import Problem
from mcp_platform.features.validation.errors import ARGUMENTS_INVALID
from mcp_platform.gateway import answers, record
from mcp_platform.gateway.active import CAPABILITY_OF, ActiveCall
from mcp_platform.gateway.errors import TOOL_UNKNOWN
from mcp_platform.gateway.outlet import Outlet
from mcp_platform.gateway.questions import Questions
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.resume import resume
from mcp_platform.net.transports.model import Call, Target
from mcp_platform.wire.errors import INVALID_PARAMS
from mcp_platform.wire.versions import input_errors_are_results

_encode = msgspec.json.Encoder().encode
_OURS = frozenset({"name", "arguments", "_meta", "inputResponses", "requestState", "task"})
"""Members of params that we set or keep; every other one passes verbatim."""
_ASKABLE = frozenset(CAPABILITY_OF.values())
_NO_ARGUMENTS = msgspec.Raw(b"{}")


async def call_tool(request: Request) -> None:
    """Answer one tools/call. Raises Fault before anything was sent upstream; later failures go to the outlet."""
    tool, upstream = resolve(request)
    arguments = request.params.get("arguments", {})
    if not isinstance(arguments, dict):
        raise Fault(INVALID_PARAMS, "`arguments` must be an object.")
    problem = request.world.schemas.of(tool).check(arguments)
    if problem is not None:
        _refuse_arguments(request, problem)
        return
    if request.modern and ("requestState" in request.params or "inputResponses" in request.params):
        await resume(request, tool, upstream, lambda extra: start(request, tool, upstream, extra))
        return
    await start(request, tool, upstream, {})


def resolve(request: Request) -> tuple[ToolRow, UpstreamRow]:
    """The tool that the request names, if its caller may use it. One that is forbidden looks exactly like one that
    does not exist. Raises Fault(params_invalid, tool_unknown)."""
    name = request.params.get("name")
    if not isinstance(name, str):
        raise Fault(INVALID_PARAMS, "`name` must be the name of a tool.")
    snapshot = request.view.snapshot
    tool = snapshot.tools.get(name)
    if tool is None or not request.identity.allowed.permits(tool.server, tool.name):
        raise Fault(TOOL_UNKNOWN)
    upstream = snapshot.upstreams.get(tool.upstream)
    if upstream is None or not upstream.enabled:
        raise Fault(TOOL_UNKNOWN)
    return tool, upstream


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


async def start(request: Request, tool: ToolRow, upstream: UpstreamRow, extra: dict[str, msgspec.Raw]) -> None:
    """Send the call upstream and see it answered. `extra`: members of params for the upstream alone."""
    world = request.world
    active = _active(request, tool, upstream, extra)
    link = world.links.link(target_of(upstream))
    arguments = bytes(request.message.raw.get("arguments", _NO_ARGUMENTS))
    active.ticket = await record.intent(world.journal, request, tool, arguments)
    world.calls.add(active)
    if world.view is not request.view:  # what it was allowed by is gone, and whoever took that back did not see it
        world.recheck(active)
    if request.session:
        world.by_request[request.session, request.id] = active
    own = asyncio.current_task()
    try:
        if request.modern and upstream.interactive and _may_be_asked(request):
            shown = active.attach(active.outlet)
            active.task = asyncio.create_task(active.run(link))
            active.task.add_done_callback(lambda _: world.forget(active))
            request.exchange.on_gone(lambda: _gone(active, active.outlet, request.exchange))
            await shown
        else:
            active.task = own
            if request.modern:
                request.exchange.on_gone(lambda: active.stop(None))
            await active.run(link)
    finally:
        if request.session:
            world.by_request.pop((request.session, request.id), None)
        if active.task is None or active.task is own or active.task.done():
            world.forget(active)


def _active(request: Request, tool: ToolRow, upstream: UpstreamRow, extra: dict[str, msgspec.Raw]) -> ActiveCall:
    raw = request.message.raw
    params = {name: value for name, value in raw.items() if name not in _OURS}
    params["name"] = msgspec.Raw(_encode(tool.name))
    params["arguments"] = raw.get("arguments", _NO_ARGUMENTS)
    params.update(extra)
    settings = request.world.settings
    call = Call(
        method="tools/call",
        params=_encode(params),
        meta=_encode(request.meta.rest) if request.meta.rest else b"{}",
        name=tool.name,
        owner=request.identity.principal.id if upstream.interactive else None,
        capabilities=request.meta.capabilities_raw if upstream.interactive else b"{}",
        client_info=request.meta.client_info if upstream.interactive else None,
        log_level=request.meta.log_level,
        progress=request.meta.progress_token is not None,
        timeout_s=upstream.call_timeout_s,
        max_result_bytes=upstream.max_result_bytes,
    )
    questions = Questions(request.world, request.session, tool, call, request.params)
    return ActiveCall(
        identity=request.identity,
        tool=tool,
        call=call,
        capabilities=request.meta.capabilities if upstream.interactive else {},
        outlet=request.outlet(),
        ask_modern=questions.park,
        ask_legacy=questions.send,
        relay_questions=questions.relay,
        patience_s=settings.calls.parked_ttl_s,
    )


def _may_be_asked(request: Request) -> bool:
    return not _ASKABLE.isdisjoint(request.meta.capabilities)


def _gone(active: ActiveCall, outlet: Outlet, exchange: object) -> None:
    """The client of a modern request went away. That cancels the call (2026-07-28), unless the request was already
    answered and the call waits for its next one."""
    if outlet.exchange is exchange and active.outlet is outlet and not outlet.answered:
        active.stop(None)


def target_of(upstream: UpstreamRow) -> Target:
    """How transports know an upstream."""
    return Target(
        id=upstream.id,
        version=upstream.version,
        transport=upstream.transport,
        url=upstream.url,
        has_credentials=upstream.has_credentials,
        interactive=upstream.interactive,
    )
