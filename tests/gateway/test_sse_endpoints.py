"""The two endpoints of 2024-11-05: a stream, and an address to post to that only its own caller can use."""

import json
from typing import Any

import pytest

from tests.gateway.door import Door
from tests.gateway.events import Events, get
from tests.gateway.wires import Wire, wires_to_each_worker
from tests.journeys.platform import Platform, modern_request

pytestmark = pytest.mark.peers


class SseSession:
    """A client of 2024-11-05 by hand."""

    def __init__(self, platform: Platform, key: str, wire: Wire | None = None, path: str = "/sse") -> None:
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.wire = wire or Wire(platform)
        self.events = Events(get(self.wire, self.headers, path=path))
        event = self.events.next()
        while event is not None and not event.kind:
            event = self.events.next()
        assert event is not None
        assert event.kind == "endpoint"
        self.address = event.data
        self.poster = Wire(platform)

    def post(self, message: object, wire: Wire | None = None, **headers: str) -> tuple[int, bytes]:
        sent = {**self.headers, **headers}
        answer = (wire or self.poster).send(json.dumps(message).encode(), sent, "POST", self.address)
        return answer.status, answer.read()

    def ask(self, identity: Any, method: str, params: Any = None, wire: Wire | None = None) -> Any:
        message = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params or {}}
        assert self.post(message, wire) == (202, b"")
        return self.events.message()

    def initialize(self, version: str = "2024-11-05", capabilities: Any = None) -> Any:
        info = {"name": "hand", "version": "1"}
        params = {"protocolVersion": version, "capabilities": capabilities or {}, "clientInfo": info}
        answer = self.ask(0, "initialize", params)
        assert self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})[0] == 202
        return answer["result"]


def test_answers_come_on_the_stream_whichever_worker_is_posted_to(platform: Platform) -> None:
    """Streams on each worker, posts to each worker: initialize, ping, a list, a call, progress, a question."""
    workers = wires_to_each_worker(platform)
    for name in workers:
        stream = SseSession(platform, platform.api_key, wires_to_each_worker(platform)[name])
        assert stream.initialize(capabilities={"elicitation": {}})["protocolVersion"] == "2024-11-05"
        for wire in wires_to_each_worker(platform).values():
            assert stream.ask(1, "ping", wire=wire)["result"] == {}
            assert len(stream.ask(2, "tools/list", wire=wire)["result"]["tools"]) > 5
            params = {"name": "echo", "arguments": {"text": "x"}}
            assert stream.ask(3, "tools/call", params, wire)["result"]["content"][0]["text"] == "x"
            params = {"name": "progress", "arguments": {"steps": 1}, "_meta": {"progressToken": 5}}
            assert stream.ask(4, "tools/call", params, wire)["params"]["progressToken"] == 5
            assert stream.events.message()["id"] == 4
            question = stream.ask(5, "tools/call", {"name": "ask", "arguments": {}}, wire)
            accept = {"action": "accept", "content": {"colour": "blue"}}
            assert stream.post({"jsonrpc": "2.0", "id": question["id"], "result": accept}, wire)[0] == 202
            assert stream.events.message()["result"]["content"][0]["text"] == "accept:blue"


def test_an_address_is_good_for_its_own_caller_and_as_long_as_its_stream(platform: Platform) -> None:
    """It names no origin; another principal, another agent, nobody, and a stream that ended find nothing there."""
    door = Door(platform)
    stream = SseSession(platform, platform.api_key)
    stream.initialize()
    assert stream.address.startswith("/messages?")
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    thief = door.ask("key.create", principal="sse-thief", agent="x", roles=["member"])["api_key"]
    assert stream.post(ping, Authorization=f"Bearer {thief}")[0] == 404
    assert stream.post(ping, Authorization="")[0] == 401
    address, stream.address = stream.address, "/messages?session_id=nonsense"
    assert stream.post(ping)[0] == 404
    stream.address = address
    stream.wire.close()
    platform.wait_for(lambda: stream.post(ping)[0] == 404, "the end of the stream to be noticed")


def test_what_is_no_message_is_refused_where_it_was_posted(platform: Platform) -> None:
    stream = SseSession(platform, platform.api_key)
    answer = stream.poster.send(b"{", stream.headers, "POST", stream.address)
    assert answer.status == 400
    answer.read()
    assert stream.post([{"jsonrpc": "2.0", "id": 1, "method": "ping"}])[0] == 400
    body, modern = modern_request("tools/list", {}, platform.api_key)
    answer = stream.poster.send(body, modern, "POST", stream.address)
    assert answer.status == 400
    answer.read()
    assert stream.ask(1, "tools/list")["error"]["data"]["error"] == "session_missing"
    assert stream.poster.send(b"", stream.headers, "DELETE", "/sse").status == 405


def test_a_stream_is_told_of_changes_and_cut_with_its_key(platform: Platform) -> None:
    """Whatever revision was agreed on it."""
    door = Door(platform)
    door.ask("role.create", name="sse-echo", rules=["odd/echo"])
    made = door.ask("key.create", principal="sse-told", agent="x", roles=["sse-echo"])
    stream = SseSession(platform, made["api_key"])
    assert stream.initialize("2025-11-25")["protocolVersion"] == "2025-11-25"
    door.ask("role.grant", principal="sse-told", name="member")
    assert stream.events.message()["method"] == "notifications/tools/list_changed"
    door.ask("key.revoke", id=made["id"])
    assert stream.events.rest() == []


def test_a_virtual_server_has_the_two_endpoints_too(platform: Platform) -> None:
    """And an address of one is worthless at another."""
    platform.cli("virtual", "create", "narrow", "--tool", "odd/echo")
    stream = SseSession(platform, platform.api_key, path="/sse/narrow")
    assert stream.address.startswith("/messages/narrow")
    stream.initialize()
    assert [tool["name"] for tool in stream.ask(1, "tools/list")["result"]["tools"]] == ["echo"]
    called = stream.ask(2, "tools/call", {"name": "add", "arguments": {"a": 1, "b": 1}})
    assert called["error"]["data"]["error"] == "tool_unknown"
    other = SseSession(platform, platform.api_key)
    ping = {"jsonrpc": "2.0", "id": 3, "method": "ping"}
    for own, elsewhere in ((stream, "/messages"), (other, "/messages/narrow")):
        own_address, own.address = own.address, elsewhere + own.address[own.address.index("?") :]
        assert own.post(ping)[0] in (400, 404)
        own.address = own_address
        assert own.post(ping)[0] == 202
    key = Door(platform).ask("key.create", principal="sse-outsider", agent="x", roles=["member"])["api_key"]
    platform.cli("role", "create", "sse-insider", "--allow", "odd/echo")
    platform.cli("virtual", "set", "narrow", "--role", "sse-insider")
    assert platform.request("GET", "/sse/narrow", None, {"Authorization": f"Bearer {key}"}).status == 404
    platform.cli("virtual", "remove", "narrow")
