"""The ownership rule, with two workers: a modern client calls a tool of a legacy stdio server that asks it something.

The call waits in one worker; the retry with the answer may reach the other. Only the one who was asked may answer,
once, and for the same call.
"""

import json
from typing import Any

import pytest

from tests.gateway.door import Door
from tests.gateway.served import served
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Answer, Platform, modern_request

pytestmark = pytest.mark.peers
ELICITATION = {"elicitation": {"form": {}}}
ACCEPT = {"action": "accept", "content": {"colour": "green"}}


def ask(wire: Wire, key: str, tool: str = "ask", identity: int = 1, **more: Any) -> Answer:
    """tools/call of a client that can be asked."""
    params = {"name": tool, "arguments": more.pop("arguments", {}), **more}
    body, headers = modern_request("tools/call", params, key)
    message = json.loads(body)
    message["id"] = identity
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = ELICITATION
    return wire.ask(json.dumps(message).encode(), headers)


def asked(answer: Answer) -> tuple[str, str]:
    """The key of the one question, and the state."""
    result = answer.json()["result"]
    assert result["resultType"] == "input_required", result
    ((key, question),) = result["inputRequests"].items()
    assert question["method"] == "elicitation/create"
    assert question["params"]["message"] == "Which colour?"
    return key, result["requestState"]


def test_the_answer_finds_its_call_whichever_worker_it_reaches(platform: Platform) -> None:
    """Every pair of (worker that was called, worker that got the answer)."""
    wires = wires_to_each_worker(platform)
    pairs = [(first, second) for first in wires for second in wires]
    for first, second in pairs:
        key, state = asked(ask(wires[first], platform.api_key))
        answer = ask(wires[second], platform.api_key, identity=2, inputResponses={key: ACCEPT}, requestState=state)
        assert answer.status == 200, (first, second, answer)
        assert answer.json()["id"] == 2
        assert answer.json()["result"]["content"][0]["text"] == "accept:green"
    assert len(pairs) == 4


def test_a_state_is_used_once_by_its_own_caller_for_its_own_call(platform: Platform) -> None:
    """Sealed, single use, bound to principal, credential and parameters; a changed one is refused."""
    wire = Wire(platform)
    other = Door(platform).ask("key.create", principal="other", agent="x", roles=["member"])["api_key"]
    key, state = asked(ask(wire, platform.api_key))
    given = {"inputResponses": {key: ACCEPT}, "requestState": state}
    refused = [
        ask(wire, other, **given),
        ask(wire, platform.api_key, arguments={"question": "Another?"}, **given),
        ask(
            wire,
            platform.api_key,
            **{**given, "requestState": state[:-4] + ("AAAA" if state[-4:] != "AAAA" else "BBBB")},
        ),
        ask(wire, platform.api_key, **{**given, "requestState": "nonsense"}),
        ask(wire, platform.api_key, **{**given, "requestState": 7}),
    ]
    for answer in refused:
        assert (answer.status, answer.json()["error"]["data"]["error"]) == (400, "request_state_invalid")
    assert ask(wire, platform.api_key, **given).json()["result"]["content"][0]["text"] == "accept:green"
    again = ask(wire, platform.api_key, **given)
    assert again.status == 400
    assert again.json()["error"]["data"]["error"] in ("request_state_invalid", "parked_call_gone")


def test_a_missing_answer_is_asked_for_again_and_extra_ones_are_ignored(platform: Platform) -> None:
    """2026-07-28, MRTR: re-ask rather than fail."""
    wire = Wire(platform)
    key, state = asked(ask(wire, platform.api_key))
    key, state = asked(ask(wire, platform.api_key, inputResponses={"other": ACCEPT}, requestState=state))
    answer = ask(wire, platform.api_key, inputResponses={key: ACCEPT, "extra": {}}, requestState=state)
    assert answer.json()["result"]["content"][0]["text"] == "accept:green"


def test_a_server_that_does_not_wait_for_its_answer_is_answered_for_when_the_client_is_back(platform: Platform) -> None:
    """The call ended while its client thought: what came of it is the client's, not lost."""
    wire, tool = Wire(platform), "web.ask_and_go_on"
    with served("mcp1", "eliciting_legacy.py", "--http") as url:
        platform.cli("server", "add", "web", url)
        key, state = asked(ask(wire, platform.api_key, tool))
        platform.call("progress", {"steps": 3, "pause_s": 0.05})  # longer than that server waits
        given = ask(wire, platform.api_key, tool, 2, inputResponses={key: ACCEPT}, requestState=state)
        assert given.json()["result"]["content"][0]["text"] == "went on"
        platform.cli("server", "remove", "web")


def test_a_client_that_cannot_be_asked_is_not(platform: Platform) -> None:
    """Without the capability there is no question: the server is told so, and the client what it would have needed."""
    answer = Wire(platform).call("ask")
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (400, -32021)
    assert error["data"]["requiredCapabilities"] == {"elicitation": {}}


def test_parked_calls_of_one_principal_are_capped(platform: Platform) -> None:
    """16 over all workers by default; then one clear refusal."""
    wires = list(wires_to_each_worker(platform).values())
    key = Door(platform).ask("key.create", principal="parker", agent="x", roles=["member"])["api_key"]
    parked = 0
    for number in range(20):
        answer = ask(wires[number % len(wires)], key)
        if answer.status == 200:
            parked += 1
            continue
        assert answer.json()["error"]["data"]["error"] == "parked_calls_too_many"
    assert parked == 16


def test_a_legacy_client_is_asked_on_its_stream_and_answers_on_another_worker(platform: Platform) -> None:
    """2025-11-25: the question comes as a request on the call's stream, the answer as a POST of its own."""
    wires = wires_to_each_worker(platform)
    for first, second in ((first, second) for first in wires for second in wires):
        caller = Wire(platform)
        session = LegacySession(caller, platform.api_key, capabilities={"elicitation": {}})
        body = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "ask", "arguments": {}}}
        stream = wires[first].send(json.dumps(body).encode(), session.headers)
        question = next(json.loads(line[6:]) for line in stream if line.startswith(b"data: {"))
        assert question["method"] == "elicitation/create"
        other = Wire(platform) if first == second else wires[second]
        given = session.post({"jsonrpc": "2.0", "id": question["id"], "result": ACCEPT}, other)
        assert given.status == 202
        again = session.post({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "cancel"}}, other)
        assert again.status == 202  # too late is no client's fault, and not what was answered
        final = next(json.loads(line[6:]) for line in stream if line.startswith(b"data: {"))
        assert final["id"] == 9
        assert final["result"]["content"][0]["text"] == "accept:green"
        stream.read()
