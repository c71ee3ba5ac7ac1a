"""Tasks (extension io.modelcontextprotocol/tasks of 2026-07-28): a call that goes on after its answer.

The task lives at its server. What the client holds is a sealed id that says whose it is, so that any worker may ask
for it and nobody else can; asking is authorised anew as the call was. Older revisions' tasks are another thing and are
refused, never dropped.
"""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import calls
from mcp_platform.gateway.active import Rewrite
from mcp_platform.gateway.errors import TASK_UNKNOWN, TASKS_NOT_SERVED
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.resource_names import as_callers_say
from mcp_platform.gateway.task_ids import TaskId
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE
from mcp_platform.wire.errors import CAPABILITY_MISSING

EXTENSION = "io.modelcontextprotocol/tasks"
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Kind(msgspec.Struct):
    resultType: str = "complete"
    taskId: str | None = None


def declares(request: Request) -> bool:
    """Whether the client knows tasks."""
    extensions = request.meta.capabilities.get("extensions")
    return request.modern and isinstance(extensions, dict) and EXTENSION in extensions


def seen_by(request: Request, item: Item) -> Rewrite:
    """What a client sees of an answer to a call: a task under a sealed id, resources under the endpoint's names."""
    names = as_callers_say(request.endpoint, item)

    def rewrite(answer: Answer) -> Answer:
        if answer.result is not None and b'"task"' in answer.result:
            answer = _with_sealed_id(request, item, answer)
        return answer if names is None else names(answer)

    return rewrite


async def ask(request: Request) -> None:
    """tasks/get, tasks/update, tasks/cancel. Raises Fault before anything was sent upstream."""
    if not declares(request):
        raise Fault(CAPABILITY_MISSING, data={"requiredCapabilities": {"extensions": {EXTENSION: {}}}})
    text = request.params.get("taskId")
    found = resolve(request, text) if isinstance(text, str) else None
    if found is None:
        raise Fault(TASK_UNKNOWN)
    task, item = found
    responses = request.message.raw.get("inputResponses")
    await calls.send(
        request,
        item,
        {"taskId": msgspec.Raw(_encode(task.inner)), **({} if responses is None else {"inputResponses": responses})},
        arguments=b"{}" if responses is None else bytes(responses),
        name=task.inner,
        rewrite=lambda answer: _with_id(answer, msgspec.Raw(_encode(text))),
    )


def resolve(request: Request, text: str) -> tuple[TaskId, Item] | None:
    """The task that its owner's id names, and the tool it came of. None for everybody else and everything else, and for
    whoever may no longer call the tool."""
    task, principal = request.world.tasks.open(text), request.identity.principal
    if task is None or (task.tenant, task.principal) != (principal.tenant, principal.id):
        return None
    if task.endpoint != request.endpoint.name:
        return None
    item = request.endpoint.tool(task.tool, request.identity.allowed)
    return (task, item) if item is not None and item.upstream.id == task.upstream else None


def _with_sealed_id(request: Request, item: Item, answer: Answer) -> Answer:
    """Raises Fault(tasks_not_served, upstream_garbage)."""
    try:
        seen = msgspec.json.decode(answer.result or b"", type=_Kind)
    except (msgspec.MsgspecError, ValueError):
        raise Fault(UPSTREAM_GARBAGE) from None
    if seen.resultType != "task":
        return answer
    if not declares(request):
        raise Fault(TASKS_NOT_SERVED)
    if seen.taskId is None:
        raise Fault(UPSTREAM_GARBAGE)
    principal = request.identity.principal
    sealed = request.world.tasks.seal(
        TaskId(principal.tenant, principal.id, request.endpoint.name, item.exposed, item.upstream.id, seen.taskId)
    )
    return _with_id(answer, msgspec.Raw(_encode(sealed)))


def _with_id(answer: Answer, identity: msgspec.Raw) -> Answer:
    """The same answer under the id that the client knows."""
    if answer.result is None:
        return answer
    try:
        members = _members.decode(answer.result)
    except (msgspec.MsgspecError, ValueError):
        raise Fault(UPSTREAM_GARBAGE) from None
    if "taskId" not in members:
        return answer
    members["taskId"] = identity
    return msgspec.structs.replace(answer, result=_encode(members))
