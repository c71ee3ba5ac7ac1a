"""GET on the MCP endpoint: streams of legacy sessions, for what belongs to no request (2025-03-26 to 2025-11-25)."""

import json

import pytest

from tests.gateway.door import Door
from tests.gateway.events import Events, get, opened
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Platform, modern_request

pytestmark = pytest.mark.peers
CHANGED = "notifications/tools/list_changed"


@pytest.fixture(scope="module")
def door(platform: Platform) -> Door:
    door = Door(platform)
    door.ask("role.create", name="only-echo", rules=["odd/echo"])
    return door


def key_of(door: Door, principal: str, *roles: str) -> str:
    made = door.ask("key.create", principal=principal, agent="stream", roles=list(roles))
    return str(made["api_key"])


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_session_hears_that_its_tools_changed_whichever_worker_holds_the_stream(
    platform: Platform, door: Door, version: str
) -> None:
    """A role is granted: the list of tools is another, and both workers pass the news on."""
    key = key_of(door, f"hears-{version}", "only-echo")
    for wire in wires_to_each_worker(platform).values():
        session = LegacySession(Wire(platform), key, version=version)
        events = Events(get(wire, session.headers))
        first = events.next()
        assert first is not None
        assert (first.id is not None) == (version == "2025-11-25")
        door.ask("role.grant", principal=f"hears-{version}", name="member")
        assert events.message()["method"] == CHANGED
        door.ask("role.revoke", principal=f"hears-{version}", name="member")
        assert events.message()["method"] == CHANGED


def test_each_message_goes_out_on_one_stream_of_a_session(platform: Platform, door: Door) -> None:
    """Streams on both workers; the change comes once (2025-11-25, basic/transports)."""
    key = key_of(door, "twice", "only-echo")
    session = LegacySession(Wire(platform), key)
    streams = [opened(platform, session.headers) for _ in range(6)]
    door.ask("role.grant", principal="twice", name="member")
    assert streams[-1].message()["method"] == CHANGED
    assert session.wire.ask(b"", session.headers, "DELETE").status == 200
    assert [stream.rest() for stream in streams] == [[]] * 6


def test_who_sees_no_other_tools_hears_nothing(platform: Platform, door: Door) -> None:
    """Another principal's change is nobody else's business."""
    mine = LegacySession(Wire(platform), key_of(door, "bystander", "only-echo"))
    stream = opened(platform, mine.headers)
    key_of(door, "concerned", "only-echo")
    door.ask("role.grant", principal="concerned", name="member")
    door.ask("role.grant", principal="bystander", name="member")
    assert stream.message()["method"] == CHANGED
    assert mine.wire.ask(b"", mine.headers, "DELETE").status == 200
    assert stream.rest() == []


def test_a_stream_is_refused_where_there_is_no_session(platform: Platform, door: Door) -> None:
    """400 without an id, 404 for one that ended or is another's, 406 for another Accept, 405 in 2026-07-28."""
    session = LegacySession(Wire(platform), platform.api_key)
    bare = {name: value for name, value in session.headers.items() if name != "Mcp-Session-Id"}
    wire = Wire(platform)

    def status(headers: dict[str, str]) -> int:
        answer = get(wire, headers)
        answer.read()
        return answer.status

    assert status(bare) == 400
    assert status({**session.headers, "Mcp-Session-Id": "nonsense"}) == 404
    stolen = {**session.headers, "Authorization": f"Bearer {key_of(door, 'thief', 'member')}"}
    assert status(stolen) == 404
    assert wire.ask(b"", {**session.headers, "Accept": "application/json"}, "GET").status == 406
    _, modern = modern_request("tools/list", {}, platform.api_key)
    for method in ("GET", "DELETE"):
        assert wire.ask(b"", {**modern, "Accept": "text/event-stream"}, method).status == 405
    unknown = {**session.headers, "MCP-Protocol-Version": "1999-01-01"}
    assert status(unknown) == 400
    assert wire.ask(b"", session.headers, "DELETE").status == 200
    for other in wires_to_each_worker(platform).values():
        answer = get(other, session.headers)
        assert answer.status == 404
        answer.read()


def test_streams_of_one_session_are_bounded(platform: Platform) -> None:
    """Eight; the ninth is refused and the others go on."""
    session = LegacySession(Wire(platform), platform.api_key)
    streams = [opened(platform, session.headers) for _ in range(8)]
    ninth = get(Wire(platform), session.headers)
    assert ninth.status == 429
    assert json.loads(ninth.read())["error"]["data"]["error"] == "streams_too_many"
    assert session.wire.ask(b"", session.headers, "DELETE").status == 200
    assert [stream.rest() for stream in streams] == [[]] * 8


@pytest.mark.parametrize("how", ["key", "session"])
def test_a_stream_ends_with_its_key_and_with_its_session(platform: Platform, door: Door, how: str) -> None:
    """On whichever worker the end was said."""
    made = door.ask("key.create", principal=f"ends-{how}", agent="stream", roles=["member"])
    for wire in wires_to_each_worker(platform).values():
        session = LegacySession(Wire(platform), made["api_key"])
        stream = opened(platform, session.headers)
        if how == "session":
            assert wire.ask(b"", session.headers, "DELETE").status == 200
        else:
            door.ask("key.revoke", id=made["id"])
        assert stream.rest() == []
        if how == "key":
            break


def test_a_stream_ends_with_the_key_that_opened_it_whatever_others_the_session_has(
    platform: Platform, door: Door
) -> None:
    """Two keys of one agent: a stream each, and the rest of a call that was resumed with the second."""
    first, second = (door.ask("key.create", principal="two-keys", agent="same", roles=["member"]) for _ in range(2))
    session = LegacySession(Wire(platform), first["api_key"])
    other = {**session.headers, "Authorization": f"Bearer {second['api_key']}"}
    stays = opened(platform, session.headers)
    cut = opened(platform, other)
    params = {"name": "progress", "arguments": {"steps": 30, "pause_s": 0.1}, "_meta": {"progressToken": 1}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    caller = Wire(platform)
    begun = Events(caller.send(json.dumps(body).encode(), session.headers)).next()
    assert begun is not None
    caller.close()
    resumed = Events(get(Wire(platform), other, begun.id))
    resumed.next()
    door.ask("key.revoke", id=second["id"])
    assert cut.rest() == []
    assert all("result" not in each for each in resumed.rest())
    door.ask("role.create", name="two-keys-more", rules=["odd/echo"])
    door.ask("role.revoke", principal="two-keys", name="member")
    assert stays.message()["method"].endswith("/list_changed")
