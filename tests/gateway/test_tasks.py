"""The tasks extension of 2026-07-28 (SEP-2663): ids that are worth something to their owner alone."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.door import Door
from tests.gateway.events import Events
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Answer, Platform, modern_request, running_platform

SERVER = Path(__file__).parents[1] / "peers" / "servers" / "tasks_modern.py"
TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("tasks")) as running:
        running.cli("server", "add", "tasks", "--", sys.executable, str(SERVER))
        yield running


def ask(wire: Wire, key: str, method: str, params: dict[str, Any], capabilities: object = TASKS) -> Answer:
    body, headers = modern_request(method, params, key)
    message = json.loads(body)
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities
    if "taskId" in params:
        headers["Mcp-Name"] = params["taskId"]
    return wire.ask(json.dumps(message).encode(), headers)


def begun(wire: Wire, key: str) -> str:
    result = ask(wire, key, "tools/call", {"name": "slow", "arguments": {"text": "hello"}}).json()["result"]
    assert (result["resultType"], result["status"]) == ("task", "working")
    assert "task-" not in result["taskId"], "the server's own id is nobody's business"
    return str(result["taskId"])


def test_any_worker_knows_a_task_of_its_owner(platform: Platform) -> None:
    wires = wires_to_each_worker(platform)
    for first in wires.values():
        task = begun(first, platform.api_key)
        for wire in wires.values():
            shown = ask(wire, platform.api_key, "tasks/get", {"taskId": task}).json()["result"]
            assert (shown["taskId"], shown["status"], shown["resultType"]) == (task, "working", "complete")
        given = {"taskId": task, "inputResponses": {"a": {"action": "accept"}}}
        assert ask(first, platform.api_key, "tasks/update", given).status == 200
        done = ask(first, platform.api_key, "tasks/get", {"taskId": task}).json()["result"]
        assert done["result"]["content"][0]["text"] == '{"a": {"action": "accept"}}'


def test_a_task_can_be_cancelled(platform: Platform) -> None:
    wire = Wire(platform)
    task = begun(wire, platform.api_key)
    assert ask(wire, platform.api_key, "tasks/cancel", {"taskId": task}).status == 200
    assert ask(wire, platform.api_key, "tasks/get", {"taskId": task}).json()["result"]["status"] == "cancelled"


def test_a_task_is_nothing_to_anybody_else(platform: Platform) -> None:
    """Another principal, an invented id, and the server's own id look the same."""
    wire = Wire(platform)
    task = begun(wire, platform.api_key)
    other = Door(platform).ask("key.create", principal="other", agent="x", roles=["member"])["api_key"]
    answers = [
        ask(wire, other, "tasks/get", {"taskId": task}),
        ask(wire, platform.api_key, "tasks/get", {"taskId": "task-1"}),
        ask(wire, platform.api_key, "tasks/get", {"taskId": task[:-4] + "AAAA"}),
        ask(wire, platform.api_key, "tasks/get", {"taskId": ""}),
    ]
    assert {(each.status, each.json()["error"]["code"], each.json()["error"]["data"]["error"]) for each in answers} == {
        (400, -32602, "task_unknown")
    }


def test_a_task_is_asked_for_as_its_tool_is_called(platform: Platform) -> None:
    """Whoever may no longer call the tool has no business with its tasks."""
    wire, door = Wire(platform), Door(platform)
    door.ask("role.create", name="slow-only", rules=["tasks/slow"])
    key = door.ask("key.create", principal="fired", agent="x", roles=["slow-only"])["api_key"]
    task = begun(wire, key)
    assert ask(wire, key, "tasks/get", {"taskId": task}).status == 200
    door.ask("role.revoke", name="slow-only", principal="fired")
    assert ask(wire, key, "tasks/get", {"taskId": task}).json()["error"]["data"]["error"] == "task_unknown"


def listening(platform: Platform, key: str, tasks: list[str], capabilities: object = TASKS) -> Events:
    """A stream of its own that asked for news of these tasks."""
    body, headers = modern_request("subscriptions/listen", {"notifications": {"taskIds": tasks}}, key)
    message = json.loads(body)
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities
    return Events(Wire(platform).send(json.dumps(message).encode(), headers))


def test_who_listens_for_a_task_of_theirs_hears_how_it_stands(platform: Platform) -> None:
    """Under the id that the client knows, on whatever worker it listens; the task may have been begun on another."""
    wire = Wire(platform)
    task, other = begun(wire, platform.api_key), begun(wire, platform.api_key)
    for _ in range(4):  # connections come to one worker or the other
        stream = listening(platform, platform.api_key, [task, "task-1", task])
        assert stream.message()["params"]["notifications"] == {"taskIds": [task]}
        ask(wire, platform.api_key, "tasks/update", {"taskId": other, "inputResponses": {}})
        ask(wire, platform.api_key, "tasks/update", {"taskId": task, "inputResponses": {"a": 1}})
        told = stream.message()
        assert told["method"] == "notifications/tasks"
        assert (told["params"]["taskId"], told["params"]["status"]) == (task, "completed")
        assert told["params"]["result"]["content"][0]["text"] == '{"a": 1}'
        stream.answer.close()


def test_nobody_listens_for_a_task_of_another(platform: Platform) -> None:
    """Nor a client that does not know tasks, nor whoever may no longer call the tool."""
    wire, door = Wire(platform), Door(platform)
    task = begun(wire, platform.api_key)
    stranger = door.ask("key.create", principal="curious", agent="x", roles=["member"])["api_key"]
    assert listening(platform, stranger, [task]).message()["params"]["notifications"] == {}
    assert listening(platform, platform.api_key, [task], {}).message()["params"]["notifications"] == {}
    door.ask("role.create", name="slow-again", rules=["tasks/slow"])
    door.ask("role.create", name="always", rules=["tasks/always"])
    key = door.ask("key.create", principal="demoted", agent="x", roles=["slow-again", "always"])["api_key"]
    own = begun(wire, key)
    stream = listening(platform, key, [own])
    assert stream.message()["params"]["notifications"] == {"taskIds": [own]}
    door.ask("role.revoke", name="slow-again", principal="demoted")
    assert listening(platform, key, [own]).message()["params"]["notifications"] == {}


def test_a_client_that_knows_no_tasks_gets_none(platform: Platform) -> None:
    wire = Wire(platform)
    plain = ask(wire, platform.api_key, "tools/call", {"name": "slow", "arguments": {}}, {}).json()["result"]
    assert plain["content"][0]["text"] == "at once: "
    task = begun(wire, platform.api_key)
    refused = ask(wire, platform.api_key, "tasks/get", {"taskId": task}, {})
    assert (refused.status, refused.json()["error"]["code"]) == (400, -32021)
    assert refused.json()["error"]["data"]["requiredCapabilities"] == TASKS
    forced = ask(wire, platform.api_key, "tools/call", {"name": "always", "arguments": {}}, {})
    assert forced.json()["error"]["data"]["error"] == "tasks_not_served"


def test_across_eras_tasks_are_refused_and_never_dropped(platform: Platform) -> None:
    """2025-11-25 has tasks of another kind; running the call as if nobody had asked for one would surprise."""
    session = LegacySession(Wire(platform), platform.api_key)
    assert "tasks" not in session.initialized["capabilities"]
    asked = session.request("tools/call", {"name": "slow", "arguments": {}, "task": {"ttl": 1000}})
    assert asked.json()["error"]["data"]["error"] == "tasks_not_served"
    assert session.request("tasks/get", {"taskId": "x"}).json()["error"]["code"] == -32601


def test_the_name_header_of_a_task_must_agree(platform: Platform) -> None:
    wire = Wire(platform)
    task = begun(wire, platform.api_key)
    body, headers = modern_request("tasks/get", {"taskId": task}, platform.api_key)
    headers["Mcp-Name"] = "another"
    assert wire.ask(body, headers).json()["error"]["code"] == -32020


def test_a_task_of_one_endpoint_is_worthless_at_another(platform: Platform) -> None:
    """The same tool, the same principal; another worker or not."""
    platform.cli("virtual", "create", "slow", "--tool", "tasks/slow")

    def at(path: str, method: str, params: dict[str, Any]) -> Answer:
        body, headers = modern_request(method, params, platform.api_key)
        message = json.loads(body)
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = TASKS
        named = {"Mcp-Name": params["taskId"]} if "taskId" in params else {}
        return platform.request("POST", path, json.dumps(message).encode(), headers | named)

    paths = ("/mcp", "/mcp/slow")
    call = {"name": "slow", "arguments": {"text": "hello"}}
    tasks = {path: at(path, "tools/call", call).json()["result"]["taskId"] for path in paths}
    for path, task in tasks.items():
        for other in paths:
            answer = at(other, "tasks/get", {"taskId": task})
            assert answer.status == (200 if other == path else 400), (path, other)
    platform.cli("virtual", "remove", "slow")
