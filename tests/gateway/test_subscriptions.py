"""Subscriptions to resources and changes of lists, from clients of every era to servers of both, over both transports.

Legacy: resources/subscribe and the session's stream. Modern: subscriptions/listen. What a client hears, it hears under
the URI that it asked for.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import pytest

from tests.conformance.upstream import Upstream, http_upstream, line, requests_in
from tests.gateway.door import Door
from tests.gateway.events import Events, opened
from tests.gateway.test_listen import KEY, listen
from tests.gateway.test_sse_endpoints import SseSession
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Platform, running_platform

pytestmark = pytest.mark.peers
WATCHED = "test://watched-resource"
SERVERS = ("http-legacy", "http-modern", "stdio-legacy", "stdio-modern", "shared-legacy", "shared-modern")
UPDATED = "notifications/resources/updated"


def updates(stream: Events) -> list[Any]:
    """What is said of resources until the stream ends. Lists may change meanwhile: control looks after them."""
    return [each for each in stream.rest() if each["method"] == UPDATED]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, logs: dict[str, Any]) -> Iterator[Platform]:
    """Two workers in front of servers of each era, over each transport, of principals' own and shared."""
    folder = tmp_path_factory.mktemp("subscriptions")
    with ExitStack() as stack:
        running = stack.enter_context(running_platform(folder))
        for era in ("legacy", "modern"):
            upstream: Upstream = stack.enter_context(http_upstream(folder / era, "--only", era))
            running.cli("server", "add", f"http-{era}", upstream.url)
            logs[f"http-{era}"] = upstream.log
            shared = stack.enter_context(http_upstream(folder / f"shared-{era}", "--only", era))
            running.cli("server", "add", f"shared-{era}", "--shared", shared.url)
            logs[f"shared-{era}"] = shared.log
            logs[f"stdio-{era}"] = folder / f"stdio-{era}.jsonl"
            running.cli("server", "add", f"stdio-{era}", "--", *line("--only", era, "--log", str(logs[f"stdio-{era}"])))
        Door(running).ask("role.create", name="no-resources", rules=["*/*"])
        yield running


def uri_of(server: str) -> str:
    return f"mcpp://{server}/{quote(WATCHED, safe='')}"


def tool_of(platform: Platform, server: str, name: str) -> str:
    """The name under which the tool of that server is offered."""
    rows = Door(platform).ask("server.tools", name=server)["tools"]
    return next(str(row["exposed"]) for row in rows if row["name"] == name)


def update(platform: Platform, server: str, session: LegacySession | None = None) -> None:
    """Make the server change the watched resource."""
    tool = tool_of(platform, server, "test_update_watched_resource")
    if session is not None:
        params = {"name": tool, "arguments": {}}
        assert "updated" in str(session.request("tools/call", params, wire=Wire(platform)).json())
    else:
        assert "updated" in str(Wire(platform).call(tool).json())


@pytest.mark.parametrize("server", SERVERS)
def test_a_legacy_client_hears_of_a_resource_until_it_unsubscribes(platform: Platform, server: str) -> None:
    """Asked on either worker; the update comes with the URI of the subscription."""
    session = LegacySession(Wire(platform), platform.api_key)
    stream = opened(platform, session.headers)
    uri = uri_of(server)
    for wire in wires_to_each_worker(platform).values():
        assert session.request("resources/subscribe", {"uri": uri}, wire=wire).json()["result"] == {}
    update(platform, server, session)
    told = stream.message()
    assert (told["method"], told["params"]["uri"]) == (UPDATED, uri)
    for wire in wires_to_each_worker(platform).values():
        assert session.request("resources/unsubscribe", {"uri": uri}, wire=wire).json()["result"] == {}
    update(platform, server, session)
    assert session.wire.ask(b"", session.headers, "DELETE").status == 200
    assert updates(stream) == []


@pytest.mark.parametrize("server", SERVERS)
def test_a_modern_client_hears_of_a_resource_as_long_as_it_listens(platform: Platform, server: str) -> None:
    uri = uri_of(server)
    stream = listen(Wire(platform), platform.api_key, "sub", resourceSubscriptions=[uri, "test://nowhere/at/all"])
    acknowledged = stream.message()["params"]
    assert acknowledged["notifications"]["resourceSubscriptions"][0] == uri
    update(platform, server)
    told = stream.message()
    assert (told["method"], told["params"]["uri"], told["params"]["_meta"][KEY]) == (UPDATED, uri, "sub")


@pytest.mark.parametrize("server", ["http-legacy", "http-modern"])
def test_a_client_of_2024_hears_of_a_resource_on_its_stream(platform: Platform, server: str) -> None:
    stream = SseSession(platform, platform.api_key)
    assert stream.initialize()["capabilities"]["resources"]["subscribe"] is True
    assert stream.ask(1, "resources/subscribe", {"uri": uri_of(server)})["result"] == {}
    update(platform, server)
    told = stream.events.message()
    assert (told["method"], told["params"]["uri"]) == (UPDATED, uri_of(server))


@pytest.mark.parametrize("server", ["http-legacy", "http-modern", "shared-legacy", "shared-modern"])
@pytest.mark.parametrize(
    ("kind", "tool"),
    [
        ("tools", "test_trigger_tool_change"),
        ("prompts", "test_trigger_prompt_change"),
        ("resources", "test_trigger_resource_change"),
    ],
)
def test_a_change_of_a_servers_list_reaches_clients_of_both_eras(
    platform: Platform, server: str, kind: str, tool: str
) -> None:
    """The new list is there when they hear of it."""
    legacy = LegacySession(Wire(platform), platform.api_key)
    streams = [opened(platform, legacy.headers)]
    modern = listen(Wire(platform), platform.api_key, 5, **{f"{kind}ListChanged": True})
    assert modern.message()["params"]["notifications"] == {f"{kind}ListChanged": True}
    streams.append(modern)
    name = tool_of(platform, server, tool)
    assert "changed" in str(Wire(platform).call(name).json())
    for stream in streams:
        # The legacy client also hears what is left of the change before.
        while stream.message()["method"] != f"notifications/{kind}/list_changed":
            assert stream is not modern


def test_a_resource_that_may_not_be_read_cannot_be_subscribed_to(platform: Platform) -> None:
    """It looks like one that is not there; and who loses the permission hears no more."""
    door = Door(platform)
    narrow = door.ask("key.create", principal="no-reader", agent="x", roles=["no-resources"])["api_key"]
    session = LegacySession(Wire(platform), narrow)
    for uri in (uri_of("shared-modern"), WATCHED, "test://none", "mcpp://none/x"):
        refused = session.request("resources/subscribe", {"uri": uri}).json()["error"]
        assert (refused["code"], refused["data"]["error"]) == (-32002, "resource_unknown_legacy")
    key = door.ask("key.create", principal="loser", agent="x", roles=["no-resources", "member"])["api_key"]
    loser = LegacySession(Wire(platform), key)
    stream = opened(platform, loser.headers)
    uri = uri_of("shared-modern")
    assert loser.request("resources/subscribe", {"uri": uri}).json()["result"] == {}
    door.ask("role.revoke", principal="loser", name="member")
    heard = stream.message()
    assert heard["method"].endswith("/list_changed"), "its prompts or resources are others now"
    update(platform, "shared-modern")
    assert loser.wire.ask(b"", loser.headers, "DELETE").status == 200
    assert updates(stream) == []


def test_two_principals_with_the_same_ids_and_uris_hear_each_their_own(platform: Platform) -> None:
    """The server has a session for each of them; what it tells one is not told to the other."""
    door = Door(platform)
    uri = uri_of("http-legacy")
    sessions, streams, voices = [], [], []
    for principal in ("twin-a", "twin-b"):
        key = door.ask("key.create", principal=principal, agent="x", roles=["member"])["api_key"]
        session = LegacySession(Wire(platform), key)
        sessions.append(session)
        streams.append(opened(platform, session.headers))
        voices.append(listen(Wire(platform), key, 1, resourceSubscriptions=[uri]))
        voices[-1].message()
    first, second = sessions
    assert first.request("resources/subscribe", {"uri": uri}).json()["result"] == {}
    assert second.request("resources/unsubscribe", {"uri": uri}).json()["result"] == {}
    update(platform, "http-legacy", second)
    assert streams[0].updated()["params"]["uri"] == uri
    for voice in voices:
        assert voice.updated()["params"] == {"uri": uri, "_meta": {KEY: 1}}
    for session, stream in zip(sessions, streams, strict=True):
        stolen = {**session.headers, "Authorization": sessions[sessions[0] is session].headers["Authorization"]}
        assert session.wire.ask(b"", stolen, "DELETE").status == 404
        assert session.wire.ask(b"", session.headers, "DELETE").status == 200
        assert updates(stream) == []


@pytest.mark.parametrize("server", SERVERS)
def test_what_nobody_wants_any_more_is_not_listened_for(platform: Platform, logs: dict[str, Any], server: str) -> None:
    """Two subscribe, one after the other leaves: the server is asked once, and told once at the end."""
    uri = uri_of(server)

    def count(*methods: str) -> int:
        return sum(row["method"] in methods for row in requests_in(logs[server]))

    begin, end = ("resources/subscribe", "resources/unsubscribe")
    platform.wait_for(_quiet(lambda: len(requests_in(logs[server]))), "the server to be left alone")
    before, ended = count(begin, "subscriptions/listen"), count(end)
    first = LegacySession(Wire(platform), platform.api_key)
    second = LegacySession(first.wire, platform.api_key)
    streams = [opened(platform, each.headers) for each in (first, second)]
    for session in (first, second):
        assert session.request("resources/subscribe", {"uri": uri}).json()["result"] == {}
    if server.endswith("legacy"):
        assert count(begin) == before - count("subscriptions/listen") + 1
    for session in (first, second):
        assert session.wire.ask(b"", session.headers, "DELETE").status == 200
    assert [updates(stream) for stream in streams] == [[], []]
    if server.endswith("legacy"):
        platform.wait_for(lambda: count(end) == ended + 1, "the server to be told")


def _quiet(measure: Callable[[], int]) -> Callable[[], bool]:
    seen: list[int] = []

    def quiet() -> bool:
        seen.append(measure())
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    return quiet


def test_a_servers_log_level_follows_the_session(platform: Platform) -> None:
    """logging/setLevel: known to every worker when it is answered; what is below the level is not sent."""
    session = LegacySession(Wire(platform), platform.api_key)
    tool = tool_of(platform, "http-modern", "test_tool_with_logging")

    def messages(wire: Wire) -> int:
        body = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
        answer = wire.ask(json.dumps(body).encode(), session.headers)
        assert b"logged" in answer.body
        return answer.body.count(b"notifications/message")

    for level, expected in (("debug", 3), ("error", 0), ("info", 3)):
        assert session.request("logging/setLevel", {"level": level}).json()["result"] == {}
        for wire in wires_to_each_worker(platform).values():
            assert messages(wire) == expected, level
    for wrong in ("loud", 3, None):
        assert session.request("logging/setLevel", {"level": wrong}).json()["error"]["code"] == -32602
