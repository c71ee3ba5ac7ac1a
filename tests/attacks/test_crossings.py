"""Two principals whose clients send the same ids, cursors, session ids, request states or subscription ids never see
anything of each other.

Whoever holds an id of somebody else's gets what an id gets that never was: the same status, headers and body, on every
worker; and its owner goes on unharmed.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.attacks.crossings import TASKS, Crossed, Party, request, seen, whole
from tests.gateway.events import Events, get, opened
from tests.gateway.test_sse_endpoints import SseSession
from tests.gateway.wires import Wire, wires_to_each_worker
from tests.journeys.platform import Answer

pytestmark = pytest.mark.peers
Try = Callable[[Party, Wire, str], Answer]
ACCEPT = {"action": "accept", "content": {"colour": "green"}}
ALL_LISTS = {f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")}
STRANGERS = {
    "principal": ("other",),
    "agent": ("other", "agent"),
    "credential": ("other", "agent", "key"),
    "session": ("other", "agent", "key", "owner"),
}
"""To whom something is worth nothing, by what it is bound to. `owner`: by a session of their own."""


@dataclass(frozen=True, slots=True)
class Held:
    """Something of the owner's."""

    identity: str
    never: str
    """What has the same form and never was."""
    tries: dict[str, Try]
    """What somebody could do with it."""
    error: str
    """What stands in the answer to a stranger."""
    well: Callable[[Party], None] = field(default=lambda party: None)
    """Sees that it works, in the hands of whoever may use it."""


def invented(sealed: str) -> str:
    """As long as the id, of the same letters."""
    return secrets.token_urlsafe(len(sealed))[: len(sealed)]


def in_session(session: str, message: dict[str, Any] | None, method: str = "POST") -> Try:
    """A request with that header line, whose value is the id."""

    def attempt(party: Party, wire: Wire, identity: str) -> Answer:
        headers = party.headers(**{session: identity})
        wire.begin(b"" if message is None else json.dumps(message).encode(), headers, method)
        return whole(wire)

    return attempt


def a_session(two: Crossed) -> Held:
    """Its stream and a call of it go on whatever strangers do."""
    session = two.owner.session()
    stream = opened(two.platform, session.headers)
    name = two.names["odd", "progress"]
    caller = Wire(two.platform)
    caller.begin(
        json.dumps(request("tools/call", {"name": name, "arguments": {"pause_s": 0.3}}, 5)).encode(), session.headers
    )
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
    done: list[Answer] = []

    def well(party: Party) -> None:
        headers = {**session.headers, "Authorization": f"Bearer {party.key}"}
        assert session.wire.ask(json.dumps(request("ping")).encode(), headers).json()["result"] == {}
        if not done:
            done.append(whole(caller))
            assert done[0].json()["result"]["content"][0]["text"] == "3 steps"
            assert session.wire.ask(b"", headers, "DELETE").status == 200
            assert {each["method"] for each in stream.rest()} <= ALL_LISTS

    tries = {
        "a list": in_session("Mcp_Session_Id", request("tools/list")),
        "a cancellation": in_session("Mcp_Session_Id", cancel),
        "a level": in_session("Mcp_Session_Id", request("logging/setLevel", {"level": "emergency"})),
        "an answer": in_session("Mcp_Session_Id", {"jsonrpc": "2.0", "id": "mcpp-0-0123456789abcdef", "result": {}}),
        "GET": in_session("Mcp_Session_Id", None, "GET"),
        "DELETE": in_session("Mcp_Session_Id", None, "DELETE"),
    }
    identity = session.headers["Mcp-Session-Id"]
    return Held(identity, invented(identity), tries, "session_unknown", well)


def a_stream(two: Crossed) -> Held:
    """The id of an event: the stranger has a session, and comes back for a stream of another's."""
    session = two.owner.session()
    params = {"name": two.names["odd", "progress"], "arguments": {}, "_meta": {"progressToken": "p"}}
    caller = Wire(two.platform)
    events = Events(caller.send(json.dumps(request("tools/call", params)).encode(), session.headers))
    ids = []
    while (event := events.next()) is not None:
        ids.append(event.id)
    first = str(ids[0])

    def attempt(party: Party, wire: Wire, identity: str) -> Answer:
        own = party.session()
        wire = Wire(two.platform)
        wire.begin(b"", {**own.headers, "Last-Event-ID": identity}, "GET")
        answer = wire.answer()
        begun = answer.readline()
        assert own.wire.ask(b"", own.headers, "DELETE").status == 200
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, named, begun + answer.read())

    def well(party: Party) -> None:
        rest = Events(get(Wire(two.platform), session.headers, first)).rest()
        assert rest[-1]["result"]["content"][0]["text"] == "3 steps"

    sealed, _, number = first.rpartition(".")
    return Held(first, f"{invented(sealed)}.{number}", {"GET": attempt}, "", well)


def a_cursor(two: Crossed) -> Held:
    """Of a list that is longer than a page."""

    def modern(party: Party, wire: Wire, cursor: str) -> Answer:
        return party.modern("resources/list", {"cursor": cursor}, wire=wire)

    def legacy(party: Party, wire: Wire, cursor: str) -> Answer:
        return party.session(wire).request("resources/list", {"cursor": cursor})

    def well(party: Party) -> None:
        for ask in (modern, legacy):
            assert ask(party, Wire(two.platform), cursor).json()["result"]["resources"]

    cursor = str(two.owner.modern("resources/list", {}).json()["result"]["nextCursor"])
    return Held(cursor, invented(cursor), {"modern": modern, "legacy": legacy}, "list_cursor_invalid", well)


def a_state(two: Crossed, server: str, tool: str, given: dict[str, Any], expected: str) -> Held:
    """A requestState: of a call that waits here, or of a server's own."""
    call = {"name": two.names[server, tool], "arguments": {}}
    asked = two.owner.modern("tools/call", call).json()["result"]
    state = str(asked["requestState"])
    answers = {key: given for key in asked["inputRequests"]}

    def attempt(party: Party, wire: Wire, identity: str) -> Answer:
        return party.modern("tools/call", {**call, "inputResponses": answers, "requestState": identity}, wire=wire)

    def well(party: Party) -> None:
        text = attempt(party, Wire(two.platform), state).json()["result"]["content"][0]["text"]
        assert text.startswith(expected)

    return Held(state, invented(state), {"a retry": attempt}, "request_state_invalid", well)


def a_parked_call(two: Crossed) -> Held:
    return a_state(two, "odd", "ask", ACCEPT, "accept:green")


def a_relayed_state(two: Crossed) -> Held:
    return a_state(two, "tasks", "asks", ACCEPT, '{"colour": "green"}')


def a_question(two: Crossed) -> Held:
    """The server asked the owner's client; strangers answer, each in a session of their own."""
    session = two.owner.session()
    call = request("tools/call", {"name": two.names["odd", "ask"], "arguments": {}}, 9)
    events = Events(Wire(two.platform).send(json.dumps(call).encode(), session.headers))
    asked = str(events.message()["id"])

    def answer(**body: Any) -> Try:
        def attempt(party: Party, wire: Wire, identity: str) -> Answer:
            return party.session(wire).post({"jsonrpc": "2.0", "id": identity, **body})

        return attempt

    def well(party: Party) -> None:
        assert session.post({"jsonrpc": "2.0", "id": asked, "result": ACCEPT}).status == 202
        assert events.message()["result"]["content"][0]["text"] == "accept:green"

    tries = {"an answer": answer(result=ACCEPT), "an error": answer(error={"code": -1, "message": "no"})}
    kind, slot, letters = asked.split("-")
    never = f"{kind}-{slot}-{secrets.token_hex(16)[: len(letters)]}"
    return Held(asked, never, tries, "", well)  # no refusal: an answer that nobody waits for is dropped


def a_task(two: Crossed) -> Held:
    def of(method: str, **more: Any) -> Try:
        def attempt(party: Party, wire: Wire, identity: str) -> Answer:
            return party.modern(method, {"taskId": identity, **more}, wire=wire, capabilities=TASKS)

        return attempt

    call = {"name": two.names["tasks", "slow"], "arguments": {"text": "hello"}}
    begun = two.owner.modern("tools/call", call, capabilities=TASKS).json()["result"]
    task = str(begun["taskId"])
    tries = {
        "get": of("tasks/get"),
        "update": of("tasks/update", inputResponses={"a": {"action": "decline"}}),
        "cancel": of("tasks/cancel"),
    }

    def well(party: Party) -> None:
        assert tries["get"](party, Wire(two.platform), task).json()["result"]["status"] == "working"

    return Held(task, invented(task), tries, "task_unknown", well)


def an_address(two: Crossed) -> Held:
    """Where messages for a stream of 2024-11-05 are posted."""
    stream = SseSession(two.platform, two.owner.key)
    stream.initialize()
    address, _, identity = stream.address.partition("=")

    def attempt(party: Party, wire: Wire, identity: str) -> Answer:
        wire.begin(json.dumps(request("ping", identity=7)).encode(), party.headers(), path=f"{address}={identity}")
        return whole(wire)

    def well(party: Party) -> None:
        assert attempt(party, Wire(two.platform), identity).status == 202
        assert stream.events.message() == {"jsonrpc": "2.0", "id": 7, "result": {}}

    return Held(identity, invented(identity), {"ping": attempt}, "message_endpoint_unknown", well)


def a_virtual_server(two: Crossed) -> Held:
    """Whatever is asked of it, in any era."""

    def modern(party: Party, wire: Wire, name: str) -> Answer:
        return party.modern("tools/list", {}, wire=wire, path=f"/mcp/{name}")

    def legacy(method: str, path: str, message: dict[str, Any] | None = None) -> Try:
        def attempt(party: Party, wire: Wire, name: str) -> Answer:
            body = b"" if message is None else json.dumps(message).encode()
            wire.begin(body, party.headers(), method, path.format(name))
            return whole(wire)

        return attempt

    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    tries = {
        "modern": modern,
        "initialize": legacy("POST", "/mcp/{}", request("initialize", hello)),
        "GET": legacy("GET", "/mcp/{}"),
        "DELETE": legacy("DELETE", "/mcp/{}"),
        "a stream": legacy("GET", "/sse/{}"),
        "a message": legacy("POST", "/messages/{}?session_id=x", request("ping")),
    }

    def well(party: Party) -> None:
        tools = modern(party, Wire(two.platform), "inside").json()["result"]["tools"]
        assert [tool["name"] for tool in tools] == ["secret"]

    return Held("inside", "nobody", tries, "path_unknown", well)


def both_eras(method: str, params: Callable[[str], dict[str, Any]]) -> dict[str, Try]:
    def modern(party: Party, wire: Wire, identity: str) -> Answer:
        return party.modern(method, params(identity), wire=wire)

    def legacy(party: Party, wire: Wire, identity: str) -> Answer:
        return party.session(wire).request(method, params(identity))

    return {f"{method}, modern": modern, f"{method}, legacy": legacy}


def a_resource(two: Crossed, uri: str = "test://many/042", never: str = "test://none/042") -> Held:
    """Of a server that only the owner's role allows."""

    def subscribe(party: Party, wire: Wire, identity: str) -> Answer:
        return party.session(wire).request("resources/subscribe", {"uri": identity})

    def complete(identity: str) -> dict[str, Any]:
        return {"ref": {"type": "ref/resource", "uri": identity}, "argument": {"name": "a", "value": ""}}

    reads = both_eras("resources/read", lambda identity: {"uri": identity})
    tries = {**reads, **both_eras("completion/complete", complete), "subscribe": subscribe}

    def well(party: Party) -> None:
        for read in reads.values():
            assert read(party, Wire(two.platform), uri).json()["result"]["contents"][0]["text"] == "secret"

    return Held(uri, never, tries, "resource_unknown", well)


def a_full_uri(two: Crossed) -> Held:
    """Of one that is listed or not, with its server's name in it."""
    uri = "mcpp://{}/test%3A%2F%2Fmany%2F042"
    return a_resource(two, uri.format("hidden"), uri.format("nobody"))


def a_tool(two: Crossed) -> Held:
    def well(party: Party) -> None:
        call = party.modern("tools/call", {"name": "secret", "arguments": {}})
        assert call.json()["result"]["content"][0]["text"] == "secret"

    tries = both_eras("tools/call", lambda name: {"name": name, "arguments": {"x": 1}})
    return Held("secret", "nobody", tries, "tool_unknown", well)


KINDS: dict[str, tuple[Callable[[Crossed], Held], str]] = {
    "session id": (a_session, "agent"),
    "Last-Event-ID": (a_stream, "session"),
    "cursor": (a_cursor, "principal"),
    "requestState of a parked call": (a_parked_call, "credential"),
    "requestState of a server": (a_relayed_state, "credential"),
    "id of a question": (a_question, "session"),
    "task id": (a_task, "principal"),
    "address of 2024-11-05": (an_address, "agent"),
    "virtual server": (a_virtual_server, "principal"),
    "resource URI": (a_resource, "principal"),
    "resource URI with its server": (a_full_uri, "principal"),
    "name of a tool": (a_tool, "principal"),
}
"""What there is, and what it is bound to."""


@pytest.mark.parametrize(
    ("kind", "stranger"), [(kind, who) for kind, (_, bound) in KINDS.items() for who in STRANGERS[bound]]
)
def test_what_is_anothers_looks_like_what_never_was(two: Crossed, kind: str, stranger: str) -> None:
    held = KINDS[kind][0](two)
    party = two.parties[stranger]
    for worker, wire in wires_to_each_worker(two.platform).items():
        for name, attempt in held.tries.items():
            crossing = seen(attempt(party, wire, held.identity), held.identity)
            never = seen(attempt(party, wire, held.never), held.never)
            assert crossing == never, (name, worker)
            assert held.error in crossing[2], (name, worker)
    held.well(two.owner)


@pytest.mark.parametrize(
    ("kind", "party"),
    [(kind, who) for kind, (_, bound) in KINDS.items() for who in ("agent", "key") if who not in STRANGERS[bound]],
)
def test_what_belongs_to_a_principal_or_an_agent_works_with_each_of_their_keys(
    two: Crossed, kind: str, party: str
) -> None:
    """So the table above is no table of what is refused anyway."""
    KINDS[kind][0](two).well(two.parties[party])
