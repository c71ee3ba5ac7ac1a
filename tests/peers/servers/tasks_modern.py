"""A server of 2026-07-28 over stdio, by hand: no SDK serves the tasks extension yet. Standard library alone.

`slow` becomes a task where the client declares the extension, and answers at once where it does not; `always` becomes
a task whatever the client declares, which no server may do. `asks` is no task: it asks, and keeps its state with the
client. Who listens for a task hears how it stands when it is updated or cancelled. Beside them are a prompt and a
resource.

    python tasks_modern.py [LOG]   # a line in LOG for the method of each request
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXTENSION = "io.modelcontextprotocol/tasks"
TAG = "io.modelcontextprotocol/subscriptionId"
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
QUESTION = {"method": "elicitation/create", "params": {"message": "Which?", "requestedSchema": {"type": "object"}}}
TASKS: dict[str, dict[str, Any]] = {}
HEARD: dict[Any, list[str]] = {}
"""Listen request → ids of the tasks it asked for."""


def declares(params: dict[str, Any]) -> bool:
    capabilities = params["_meta"]["io.modelcontextprotocol/clientCapabilities"]
    return EXTENSION in capabilities.get("extensions", {})


def discover(params: dict[str, Any]) -> dict[str, Any]:
    capabilities = {name: {} for name in ("tools", "prompts", "resources", "completions")}
    capabilities["extensions"] = {EXTENSION: {}}
    return {"supportedVersions": ["2026-07-28"], "capabilities": capabilities, "ttlMs": 0, "cacheScope": "private"}


def list_tools(params: dict[str, Any]) -> dict[str, Any]:
    return {"tools": [{"name": name, "inputSchema": SCHEMA} for name in ("always", "asks", "slow")]}


def call(params: dict[str, Any]) -> dict[str, Any]:
    text = params["arguments"].get("text", "")
    if params["name"] == "asks":
        return asks(params)
    if params["name"] == "slow" and not declares(params):
        return {"content": [{"type": "text", "text": f"at once: {text}"}]}
    identity = f"task-{len(TASKS) + 1}"
    TASKS[identity] = {"status": "working", "text": text}
    return {"resultType": "task", "taskId": identity, "status": "working", "ttlMs": 60000, "pollIntervalMs": 10}


def asks(params: dict[str, Any]) -> dict[str, Any]:
    given = params.get("inputResponses", {})
    if "colour" not in given or params.get("requestState") != "asked":
        return {"resultType": "input_required", "inputRequests": {"colour": QUESTION}, "requestState": "asked"}
    return {"content": [{"type": "text", "text": json.dumps(given["colour"]["content"])}]}


def task_of(params: dict[str, Any]) -> dict[str, Any]:
    if params["taskId"] not in TASKS:
        raise LookupError
    return TASKS[params["taskId"]]


def get(params: dict[str, Any]) -> dict[str, Any]:
    task = task_of(params)
    shown = {"taskId": params["taskId"], "status": task["status"], "ttlMs": 60000}
    if task["status"] == "completed":
        shown["result"] = {"content": [{"type": "text", "text": task["text"]}]}
    return shown


def say(method: str, params: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}), flush=True)


def listen(identity: Any, params: dict[str, Any]) -> None:
    known = [each for each in params["notifications"].get("taskIds", []) if each in TASKS] if declares(params) else []
    HEARD[identity] = known
    say("notifications/subscriptions/acknowledged", {"notifications": {"taskIds": known}, "_meta": {TAG: identity}})


def tell(task: str) -> None:
    """How it stands now, to all who listen for it."""
    for identity, wanted in HEARD.items():
        if task in wanted:
            say("notifications/tasks", {**get({"taskId": task}), "_meta": {TAG: identity}})


def update(params: dict[str, Any]) -> dict[str, Any]:
    task_of(params).update(status="completed", text=json.dumps(params["inputResponses"], sort_keys=True))
    tell(params["taskId"])
    return {}


def cancel(params: dict[str, Any]) -> dict[str, Any]:
    task_of(params)["status"] = "cancelled"
    tell(params["taskId"])
    return {}


def constant(result: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda params: result


METHODS = {
    "server/discover": discover,
    "completion/complete": constant({"completion": {"values": ["polite"]}}),
    "prompts/get": constant({"messages": [{"role": "user", "content": {"type": "text", "text": "Hello."}}]}),
    "prompts/list": constant({"prompts": [{"name": "greet", "arguments": [{"name": "how"}]}]}),
    "resources/list": constant({"resources": [{"uri": "test://greeting", "name": "greeting"}]}),
    "resources/read": constant({"contents": [{"uri": "test://greeting", "text": "Hello."}]}),
    "resources/templates/list": constant({"resourceTemplates": []}),
    "tools/list": list_tools,
    "tools/call": call,
    "tasks/get": get,
    "tasks/update": update,
    "tasks/cancel": cancel,
}


def answer(message: dict[str, Any]) -> dict[str, Any]:
    if message["method"] not in METHODS:
        return {"error": {"code": -32601, "message": "no such method"}}
    try:
        return {"result": {"resultType": "complete", **METHODS[message["method"]](message["params"])}}
    except LookupError:
        return {"error": {"code": -32602, "message": "unknown task"}}


LOG = Path(sys.argv[1]).open("a", buffering=1) if len(sys.argv) > 1 else None
for line in sys.stdin:
    request = json.loads(line)
    print(request["method"], file=LOG) if LOG is not None else None
    if request["method"] == "notifications/cancelled":
        HEARD.pop(request["params"]["requestId"], None)
    elif request["method"] == "subscriptions/listen":
        listen(request["id"], request["params"])
    elif "id" in request:
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer(request)}), flush=True)
