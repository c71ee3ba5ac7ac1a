"""Batches: arrays of messages, in sessions of 2025-03-26 and in no other revision."""

import json
from typing import Any

import pytest

from tests.gateway.events import Events
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Platform, modern_request

pytestmark = pytest.mark.peers
OLD = "2025-03-26"


def request(identity: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def echo(identity: Any, text: str) -> dict[str, Any]:
    return request(identity, "tools/call", name="echo", arguments={"text": text})


def test_each_message_of_a_batch_is_answered_in_one_array(platform: Platform) -> None:
    """Requests get their answers, each with its id; a notification gets none; a bad one spoils no other."""
    session = LegacySession(Wire(platform), platform.api_key, version=OLD)
    batch = [
        echo(1, "one"),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        request("two", "ping"),
        request(3, "tools/call", name="nothing", arguments={}),
        request(4, "no/method"),
        {"jsonrpc": "1.0", "id": 5, "method": "ping"},
        request(6, "initialize", protocolVersion=OLD, capabilities={}, clientInfo={}),
    ]
    answer = session.post(batch)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    found = {each["id"]: each for each in json.loads(answer.body)}
    assert len(json.loads(answer.body)) == 6
    assert found[1]["result"]["content"][0]["text"] == "one"
    assert found["two"]["result"] == {}
    refused = {identity: found[identity]["error"]["data"]["error"] for identity in (3, 4, 5, 6)}
    assert refused == {3: "tool_unknown", 4: "method_not_found", 5: "request_invalid", 6: "batch_initialize"}


def test_a_batch_without_requests_is_accepted_without_a_body(platform: Platform) -> None:
    session = LegacySession(Wire(platform), platform.api_key, version=OLD)
    answer = session.post([{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}}] * 3)
    assert (answer.status, answer.body) == (202, b"")


def test_a_batch_that_streams_ends_with_every_answer(platform: Platform) -> None:
    """Progress of one call makes all of it a stream; a question in it is answered from another worker."""
    session = LegacySession(Wire(platform), platform.api_key, version=OLD, capabilities={"elicitation": {}})
    progress = request(1, "tools/call", name="progress", arguments={"steps": 2}, _meta={"progressToken": "p"})
    batch = [progress, echo(2, "two"), request(3, "tools/call", name="ask", arguments={})]
    events = Events(Wire(platform).send(json.dumps(batch).encode(), session.headers))
    answers: dict[Any, Any] = {}
    methods = []
    while len(answers) < 3:
        message = events.message()
        if message.get("method") == "elicitation/create":
            accept = {"action": "accept", "content": {"colour": "red"}}
            for wire in wires_to_each_worker(platform).values():
                if (
                    wire.ask(
                        json.dumps([{"jsonrpc": "2.0", "id": message["id"], "result": accept}]).encode(),
                        session.headers,
                    ).status
                    == 202
                ):
                    break
        elif "method" in message:
            methods.append(message["method"])
        else:
            answers[message["id"]] = message["result"]["content"][0]["text"]
    assert answers == {1: "2 steps", 2: "two", 3: "accept:red"}
    assert methods == ["notifications/progress"] * 2
    assert events.next() is None


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25"])
def test_other_revisions_have_no_batches(platform: Platform, version: str) -> None:
    session = LegacySession(Wire(platform), platform.api_key, version=version)
    answer = session.post([echo(1, "x")])
    assert (answer.status, answer.json()["error"]["data"]["error"]) == (400, "batch_refused")


def test_what_is_no_batch_is_refused_whole(platform: Platform) -> None:
    """Empty, too long, no JSON, without a session, in 2026-07-28; nothing of it is done."""
    session = LegacySession(Wire(platform), platform.api_key, version=OLD)
    for body in ([], [request(number, "ping") for number in range(33)]):
        answer = session.post(body)
        assert (answer.status, answer.json()["error"]["data"]["error"]) == (400, "batch_invalid")
    assert session.wire.ask(b"[{]", session.headers).json()["error"]["data"]["error"] == "json_invalid"
    bare = {name: value for name, value in session.headers.items() if name != "Mcp-Session-Id"}
    assert session.wire.ask(b"[]", bare).status == 400
    _, modern = modern_request("tools/list", {}, platform.api_key)
    assert session.wire.ask(b"[]", modern).json()["error"]["data"]["error"] == "request_invalid"
