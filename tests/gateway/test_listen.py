"""subscriptions/listen of 2026-07-28: what is asked for is acknowledged, and nothing else is told."""

import json
from typing import Any

import pytest

from tests.gateway.door import Door
from tests.gateway.events import Events
from tests.gateway.wires import Wire, wires_to_each_worker
from tests.journeys.platform import Platform, modern_request

pytestmark = pytest.mark.peers
KEY = "io.modelcontextprotocol/subscriptionId"


def listen(wire: Wire, key: str, identity: Any, **wanted: Any) -> Events:
    body, headers = modern_request("subscriptions/listen", {"notifications": wanted}, key)
    message = json.loads(body)
    message["id"] = identity
    return Events(wire.send(json.dumps(message).encode(), headers))


@pytest.fixture(scope="module")
def door(platform: Platform) -> Door:
    door = Door(platform)
    door.ask("role.create", name="listens-echo", rules=["odd/echo"])
    return door


def key_of(door: Door, principal: str) -> str:
    return str(door.ask("key.create", principal=principal, agent="x", roles=["listens-echo"])["api_key"])


def test_the_acknowledgement_comes_first_and_every_message_carries_the_id(platform: Platform, door: Door) -> None:
    """On every worker; several listen at once, each hears under the id of its own request."""
    key = key_of(door, "listener")
    for wire in wires_to_each_worker(platform).values():
        streams = {7: listen(wire, key, 7, toolsListChanged=True)}
        streams["text"] = listen(Wire(platform), key, "text", toolsListChanged=True, promptsListChanged=False)
        for identity, stream in streams.items():
            acknowledged = stream.message()
            assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
            assert acknowledged["params"]["notifications"] == {"toolsListChanged": True}
            assert acknowledged["params"]["_meta"] == {KEY: identity}
        door.ask("role.grant", principal="listener", name="member")
        for identity, stream in streams.items():
            changed = stream.message()
            assert changed["method"] == "notifications/tools/list_changed"
            assert changed["params"]["_meta"][KEY] == identity
        door.ask("role.revoke", principal="listener", name="member")
        for stream in streams.values():
            stream.message()


def test_kinds_that_were_not_asked_for_are_not_told(platform: Platform, door: Door) -> None:
    """Two principals with the same id: each hears of its own lists, and of nothing it did not ask for."""
    first, second = key_of(door, "asks-tools"), key_of(door, "asks-nothing")
    hears = listen(Wire(platform), first, 1, toolsListChanged=True)
    deaf = listen(Wire(platform), second, 1)
    made = door.ask("key.create", principal="asks-nothing", agent="y", roles=[])
    other = listen(Wire(platform), made["api_key"], 1, toolsListChanged=True)
    assert hears.message()["params"]["notifications"] == {"toolsListChanged": True}
    assert deaf.message()["params"]["notifications"] == {}
    other.message()
    door.ask("role.grant", principal="asks-nothing", name="member")
    assert other.message()["method"] == "notifications/tools/list_changed"
    door.ask("role.grant", principal="asks-tools", name="member")
    assert hears.message()["method"] == "notifications/tools/list_changed"
    for principal in ("asks-tools", "asks-nothing"):
        door.ask("principal.disable", name=principal)
    for stream in (hears, deaf, other):
        last = stream.rest()
        assert [each["error"]["data"]["error"] for each in last] == ["permission_revoked"]
        assert last[0]["id"] == 1


def test_what_may_not_be_read_looks_like_what_is_not_there(platform: Platform, door: Door) -> None:
    """It is left out of what is honoured."""
    stream = listen(Wire(platform), key_of(door, "reader"), 1, resourceSubscriptions=["test://a", "mcpp://odd/x"])
    assert stream.message()["params"]["notifications"] == {}


def test_a_listen_of_another_form_is_refused(platform: Platform) -> None:
    for wanted in (None, [], {"toolsListChanged": "yes"}, {"resourceSubscriptions": [1]}):
        answer = Wire(platform).rpc("subscriptions/listen", {"notifications": wanted})
        assert (answer.status, answer.json()["error"]["code"]) == (400, -32602)
    many = {"resourceSubscriptions": [f"test://{number}" for number in range(201)]}
    answer = Wire(platform).rpc("subscriptions/listen", {"notifications": many})
    assert answer.json()["error"]["data"]["error"] == "subscriptions_too_many"
