"""Two principals whose clients choose the same ids at the same time: request ids, progress tokens, subscription ids,
session-wide settings. Their calls run in one process of one server, which tells them apart by ids of the gateway's own.

What one cancels, closes, unsubscribes or sets is nothing to the other. Ids that others chose are test_crossings.py.
"""

import json
from typing import Any

import pytest

from tests.attacks.crossings import ELICITATION, Crossed, Party, request, whole
from tests.conformance.upstream import line
from tests.gateway.door import Door
from tests.gateway.events import Events, opened
from tests.gateway.test_listen import KEY, listen
from tests.gateway.test_sse_endpoints import SseSession
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker

pytestmark = pytest.mark.peers
IDS = (1, "1")
"""Different ids (JSON-RPC 2.0 §5), also where both are used at once."""
ALL_LISTS = {f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")}
WATCHED = "test://watched-resource"
STEPS = {"owner": 4, "other": 7}
COLOURS = {"owner": "green", "other": "blue"}


class Client:
    """One party's client of one era, on a connection of its own to one worker."""

    def __init__(self, two: Crossed, who: str, era: str, wire: Wire) -> None:
        self.who, self.era = who, era
        self.party: Party = two.parties[who]
        self._two = two
        self._stream: SseSession | None = None
        self._session: LegacySession | None = None
        self._worker = wire
        if era == "2024-11-05":
            self._stream = SseSession(two.platform, self.party.key, wire)
            self._stream.initialize(capabilities=ELICITATION)
        elif era != "2026-07-28":
            self._session = LegacySession(Wire(two.platform), self.party.key, version=era, capabilities=ELICITATION)

    def begin(self, tool: str, arguments: dict[str, Any], identity: Any, token: Any = None) -> Wire:
        """Call a tool of the shared server; the wire where the answer comes."""
        meta = {} if token is None else {"progressToken": token}
        name = self._two.names["common", tool]
        params: dict[str, Any] = {"name": name, "arguments": arguments}
        if self._stream is not None:
            assert self._stream.post(request("tools/call", {**params, "_meta": meta}, identity)) == (202, b"")
            return self._stream.wire
        wire, self._worker = self._worker, Wire(self._two.platform)
        if self._session is not None:
            body = json.dumps(request("tools/call", {**params, "_meta": meta}, identity)).encode()
            wire.begin(body, self._session.headers)
        else:
            self.party.begin(wire, "tools/call", params, identity=identity, **meta)
        return wire

    def messages(self, wire: Wire, count: int) -> list[Any]:
        """What comes there until `count` answers came."""
        found: list[Any] = []
        events = self._stream.events if self._stream is not None else None
        while sum("id" in each for each in found) < count:
            if events is None:
                answer = wire.answer()
                if answer.getheader("content-type") != "text/event-stream":
                    return [json.loads(answer.read())]
                events = Events(answer)
            found.append(events.message())
        return found

    def cancel(self, identity: Any) -> None:
        """Say that the call of that id is not wanted any more."""
        message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": identity}}
        if self._stream is not None:
            assert self._stream.post(message)[0] == 202
        elif self._session is not None:
            assert self._session.post(message).status == 202


ERAS = ("2024-11-05", "2025-03-26", "2025-11-25", "2026-07-28")


def both(two: Crossed, era: str, *, together: bool = False) -> list[Client]:
    """The owner's and the other's client, on different workers or together on one."""
    wires = wires_to_each_worker(two.platform)
    if together:
        name, mine = next(iter(wires.items()))
        pair = [mine, wires_to_each_worker(two.platform)[name]]
    else:
        pair = list(wires.values())
    return [Client(two, who, era, wire) for who, wire in zip(STEPS, pair, strict=True)]


def progress_of(messages: list[Any], token: Any) -> list[tuple[Any, Any]]:
    told = [each["params"] for each in messages if each.get("method") == "notifications/progress"]
    assert all(each["progressToken"] == token and type(each["progressToken"]) is type(token) for each in told)
    return [(each["progress"], each["total"]) for each in told]


@pytest.mark.parametrize("token", IDS)
@pytest.mark.parametrize("era", ERAS)
def test_each_hears_the_progress_and_the_answer_of_its_own_call(two: Crossed, era: str, token: Any) -> None:
    """The same request id and the same progress token, in calls that run at once."""
    clients = both(two, era)
    begun = [
        (each, each.begin("progress", {"steps": STEPS[each.who], "pause_s": 0.03}, token, token)) for each in clients
    ]
    for client, wire in begun:
        steps = STEPS[client.who]
        found = client.messages(wire, 1)
        assert progress_of(found, token) == [(done, steps) for done in range(1, steps + 1)]
        assert (found[-1]["id"], found[-1]["result"]["content"][0]["text"]) == (token, f"{steps} steps")
        assert type(found[-1]["id"]) is type(token)


@pytest.mark.parametrize("era", ERAS)
def test_a_number_and_a_text_are_two_ids(two: Crossed, era: str) -> None:
    """In one session, too: each call has its own progress and its own answer."""
    client = Client(two, "owner", era, Wire(two.platform))
    steps: dict[Any, int] = {1: 3, "1": 5}
    begun = {each: client.begin("progress", {"steps": count}, each, each) for each, count in steps.items()}
    if era == "2024-11-05":
        found = client.messages(begun[1], 2)
    else:
        found = [message for wire in begun.values() for message in client.messages(wire, 1)]
    for identity, count in steps.items():
        (answer,) = [each for each in found if "id" in each and same(each["id"], identity)]
        assert answer["result"]["content"][0]["text"] == f"{count} steps"
        told = [each["params"] for each in found if "id" not in each]
        own = [each["progress"] for each in told if same(each["progressToken"], identity)]
        assert own == list(range(1, count + 1))


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def cancelled(two: Crossed) -> int:
    """How many calls the shared server saw cancelled."""
    answer = two.owner.modern("tools/call", {"name": two.names["common", "cancellations"], "arguments": {}})
    return int(answer.json()["result"]["content"][0]["text"])


@pytest.mark.parametrize("era", ERAS)
def test_a_cancellation_ends_a_call_of_its_own_client_alone(two: Crossed, era: str) -> None:
    """Told in the revisions that have sessions, by closing the stream in the one that has none."""
    mine, theirs = both(two, era, together=True)
    before = cancelled(two)
    hanging = theirs.begin("hang", {}, 1)
    begun = mine.begin("progress", {"steps": 20, "pause_s": 0.03}, 1, "p")
    theirs.cancel("1")  # another id
    assert cancelled(two) == before
    if era == "2026-07-28":
        hanging.close()

    def ended() -> bool:
        theirs.cancel(1)  # again, where it came before the call
        return cancelled(two) == before + 1

    two.platform.wait_for(ended, "the server to be told")
    found = mine.messages(begun, 1)
    assert progress_of(found, "p") == [(done, 20) for done in range(1, 21)]
    assert found[-1]["result"]["content"][0]["text"] == "20 steps"
    assert cancelled(two) == before + 1


def test_each_is_asked_its_own_question_and_answers_it(two: Crossed) -> None:
    """With the same request id, in both eras; the answers cross on the way."""
    params = {"name": two.names["odd", "ask"], "arguments": {}}
    sessions = {who: two.parties[who].session() for who in COLOURS}
    events = {}
    for who, session in sessions.items():
        wire = Wire(two.platform)
        events[who] = Events(wire.send(json.dumps(request("tools/call", params)).encode(), session.headers))
    asked = {who: stream.message()["id"] for who, stream in events.items()}
    parked = {who: two.parties[who].modern("tools/call", params).json()["result"] for who in COLOURS}
    assert len({*asked.values()} | {each["requestState"] for each in parked.values()}) == 4
    for who in reversed(COLOURS):
        accept = {"action": "accept", "content": {"colour": COLOURS[who]}}
        assert sessions[who].post({"jsonrpc": "2.0", "id": asked[who], "result": accept}).status == 202
        assert events[who].message()["result"]["content"][0]["text"] == f"accept:{COLOURS[who]}"
        answers = {key: accept for key in parked[who]["inputRequests"]}
        again = {**params, "inputResponses": answers, "requestState": parked[who]["requestState"]}
        answer = two.parties[who].modern("tools/call", again).json()["result"]
        assert answer["content"][0]["text"] == f"accept:{COLOURS[who]}"


@pytest.mark.parametrize("identity", IDS)
def test_each_hears_of_its_own_lists_under_the_same_subscription_id(two: Crossed, identity: Any) -> None:
    """And when one of them goes, the other hears on."""
    door = Door(two.platform)
    mine, theirs = (listen(Wire(two.platform), two.parties[who].key, identity, toolsListChanged=True) for who in STEPS)
    for stream in (mine, theirs):
        acknowledged = stream.message()["params"]["_meta"][KEY]
        assert same(acknowledged, identity)
    door.ask("role.grant", principal="ben", name="insider")
    assert same(theirs.message()["params"]["_meta"][KEY], identity)
    door.ask("role.revoke", principal="ben", name="insider")
    theirs.message()
    theirs.answer.close()
    door.ask("role.revoke", principal="ana", name="insider")
    heard = mine.message()
    assert (heard["method"], heard["params"]["_meta"][KEY]) == ("notifications/tools/list_changed", identity)
    door.ask("role.grant", principal="ana", name="insider")


@pytest.fixture(scope="module")
def things(one_platform: Crossed) -> dict[str, str]:
    """Names of the tools of servers that log and tell of a resource; the process of `things` is shared."""
    two = one_platform
    two.platform.cli("server", "add", "things", "--shared", "--", *line("--only", "legacy"))
    two.platform.cli("server", "add", "logs", "--", *line("--only", "legacy"))
    rows = Door(two.platform).ask("server.tools")["tools"]
    return {f"{row['server']}/{row['name']}": str(row["exposed"]) for row in rows}


@pytest.mark.long
def test_each_is_subscribed_for_itself(two: Crossed, things: dict[str, str]) -> None:
    """To the same resource of one process, with the same ids: who unsubscribes or leaves takes nothing from others."""
    sessions = [two.parties[who].session() for who in STEPS]
    mine, theirs = (opened(two.platform, session.headers) for session in sessions)
    for session in sessions:
        assert session.request("resources/subscribe", {"uri": WATCHED}).json()["result"] == {}
    update = request("tools/call", {"name": things["things/test_update_watched_resource"], "arguments": {}})
    assert "updated" in str(sessions[1].post(update).json())
    for stream in (mine, theirs):
        assert stream.updated()["params"]["uri"] == WATCHED
    assert sessions[1].request("resources/unsubscribe", {"uri": WATCHED}).json()["result"] == {}
    assert "updated" in str(sessions[1].post(update).json())
    assert mine.updated()["params"]["uri"] == WATCHED
    assert sessions[1].wire.ask(b"", sessions[1].headers, "DELETE").status == 200
    assert {each["method"] for each in theirs.rest()} <= ALL_LISTS
    assert "updated" in str(sessions[0].post(update).json())
    assert mine.updated()["params"]["uri"] == WATCHED


@pytest.mark.long
@pytest.mark.parametrize("server", ["logs", "things"])
def test_each_has_its_own_log_level(two: Crossed, things: dict[str, str], server: str) -> None:
    """A process of each hears what its owner wants; one that they share logs to nobody, for nobody knows whose a line
    is."""
    levels = {"owner": ("debug", 3), "other": ("error", 0)}
    sessions = {who: two.parties[who].session() for who in levels}
    for who in (*levels, *levels):
        assert sessions[who].request("logging/setLevel", {"level": levels[who][0]}).json()["result"] == {}
    call = request("tools/call", {"name": things[f"{server}/test_tool_with_logging"], "arguments": {}})
    wires = {who: Wire(two.platform) for who in levels}
    for who, wire in wires.items():
        wire.begin(json.dumps(call).encode(), sessions[who].headers)
    for who, wire in wires.items():
        body = whole(wire).body
        assert b"logged" in body
        assert body.count(b"notifications/message") == (levels[who][1] if server == "logs" else 0)
