"""Streams that a legacy client comes back to with Last-Event-ID (2025-03-26 to 2025-11-25, basic/transports)."""

import json
from typing import Any

import pytest

from tests.gateway.door import Door
from tests.gateway.events import Events, get, opened
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Platform

pytestmark = pytest.mark.peers


def call(session: LegacySession, wire: Wire, tool: str, arguments: dict[str, Any], identity: Any = 7) -> Events:
    """Begin a call whose client wants progress."""
    params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}
    body = {"jsonrpc": "2.0", "id": identity, "method": "tools/call", "params": params}
    return Events(wire.send(json.dumps(body).encode(), session.headers))


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_call_goes_on_without_its_client_and_its_answer_waits(platform: Platform, version: str) -> None:
    """Every pair of (worker where the call began, worker that is asked for the rest): exactly what was missed comes,
    then the answer. A lost connection is no cancellation in these revisions."""
    workers = wires_to_each_worker(platform)
    for first in workers:
        for second in workers.values():
            session = LegacySession(Wire(platform), platform.api_key, version=version)
            caller = workers[first] if workers[first] is not second else Wire(platform)
            events = call(session, caller, "progress", {"steps": 40, "pause_s": 0.02})
            seen: list[Any] = []
            last = None
            while len(seen) < 3:
                event = events.next()
                assert event is not None
                last = event.id or last
                seen.extend([event.json()] if event.data else [])
            if caller is not workers[first]:
                caller.close()
            else:
                workers[first] = Wire(platform)
                caller.close()
            rest = Events(get(second, session.headers, last)).rest()
            steps = [each["params"]["progress"] for each in seen + rest[:-1]]
            assert steps == list(range(1, 41))
            assert rest[-1]["result"]["content"][0]["text"] == "40 steps"
            again = Events(get(Wire(platform), session.headers, last)).rest()
            assert again == rest, "until it is forgotten, it can be asked for again"
            workers = wires_to_each_worker(platform)
            break
        if version != "2025-11-25":
            break


def test_a_stream_begins_with_an_id_to_come_back_with(platform: Platform) -> None:
    """2025-11-25: an event that has an id, a retry time and nothing else, also where the call says nothing."""
    session = LegacySession(Wire(platform), platform.api_key, capabilities={"elicitation": {}})
    caller = Wire(platform)
    events = call(session, caller, "ask", {})
    first = events.next()
    assert first is not None
    assert (first.data, first.retry) == ("", "1000")
    caller.close()
    rest = Events(get(Wire(platform), session.headers, first.id))
    question = rest.message()
    assert question["method"] == "elicitation/create"
    accept = {"action": "accept", "content": {"colour": "green"}}
    assert session.post({"jsonrpc": "2.0", "id": question["id"], "result": accept}).status == 202
    assert rest.message()["result"]["content"][0]["text"] == "accept:green"
    assert rest.next() is None


def test_a_long_silent_call_becomes_a_stream_that_can_be_left(platform: Platform) -> None:
    """The answer of a call that takes longer than a moment is not lost with its connection."""
    session = LegacySession(Wire(platform), platform.api_key)
    caller = Wire(platform)
    params = {"name": "progress", "arguments": {"steps": 1, "pause_s": 1.5}}  # no token: nothing is reported
    body = {"jsonrpc": "2.0", "id": "long", "method": "tools/call", "params": params}
    first = Events(caller.send(json.dumps(body).encode(), session.headers)).next()
    assert first is not None
    caller.close()
    rest = Events(get(Wire(platform), session.headers, first.id)).rest()
    assert [each["id"] for each in rest] == ["long"]


def test_an_event_id_is_worth_nothing_to_anybody_else(platform: Platform) -> None:
    """Not with another session of the same principal, nor with another principal's: each gets a stream of its own."""
    mine = LegacySession(Wire(platform), platform.api_key)
    events = call(mine, Wire(platform), "progress", {"steps": 3})
    ids = []
    while (event := events.next()) is not None:
        ids.append(event.id)
    other_key = Door(platform).ask("key.create", principal="resumer", agent="x", roles=["member"])["api_key"]
    for other in (LegacySession(Wire(platform), platform.api_key), LegacySession(Wire(platform), other_key)):
        stream = opened(platform, other.headers, ids[0])
        assert other.wire.ask(b"", other.headers, "DELETE").status == 200
        methods = {each["method"] for each in stream.rest()}
        assert methods <= {f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")}
    assert len(set(ids)) == len(ids)
    for nonsense in ("1", "x.1", f"{ids[0]}9999999999999999999999", "\u00e9.1".encode().decode("latin-1")):
        assert get(Wire(platform), mine.headers, nonsense).status == 200


def test_a_lost_stream_for_changes_is_followed_by_a_new_one(platform: Platform) -> None:
    """What happened meanwhile comes with the stream that is opened with the last id."""
    door = Door(platform)
    door.ask("role.create", name="resumes-echo", rules=["odd/echo"])
    key = door.ask("key.create", principal="resumes", agent="x", roles=["resumes-echo"])["api_key"]
    session = LegacySession(Wire(platform), key)
    wire = Wire(platform)
    events = Events(get(wire, session.headers))
    first = events.next()
    assert first is not None
    wire.close()
    door.ask("role.grant", principal="resumes", name="member")
    again = Events(get(Wire(platform), session.headers, first.id))
    assert again.message()["method"] == "notifications/tools/list_changed"


def test_an_ended_session_resumes_nothing(platform: Platform) -> None:
    """The calls of a session that its client ends are stopped, and their streams are gone."""
    session = LegacySession(Wire(platform), platform.api_key)
    caller = Wire(platform)
    first = call(session, caller, "progress", {"steps": 400, "pause_s": 0.05}).next()
    assert first is not None
    caller.close()
    for wire in wires_to_each_worker(platform).values():
        assert wire.ask(b"", session.headers, "DELETE").status == 200
        break
    for wire in wires_to_each_worker(platform).values():
        answer = get(wire, session.headers, first.id)
        assert answer.status == 404
        answer.read()
