"""kill -9 of each process under open streams, subscriptions and sessions: what can go on does; the rest gets one clear
error or a closed stream; nothing hangs."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.upstream import http_upstream, line
from tests.gateway.door import Door
from tests.gateway.events import Events, get, opened
from tests.gateway.test_listen import KEY, listen
from tests.gateway.test_sse_endpoints import SseSession
from tests.gateway.test_subscriptions import UPDATED, tool_of, update, uri_of
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Platform, running_platform

pytestmark = [pytest.mark.peers, pytest.mark.alone]
WORKERS = ("worker-0", "worker-1")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("stream-kills")
    with ExitStack() as stack:
        running = stack.enter_context(running_platform(folder))
        upstream = stack.enter_context(http_upstream(folder / "upstream"))
        running.cli("server", "add", "http", upstream.url)
        running.cli("server", "add", "stdio", "--", *line("--only", "legacy"))
        Door(running).ask("role.create", name="kills-http", rules=["http/*"])
        yield running


def kill(platform: Platform, name: str) -> None:
    """Kill -9, and wait until another process is in its place."""
    pid = platform.pids()[name]
    os.kill(pid, signal.SIGKILL)
    platform.wait_for(lambda: platform.pids().get(name) not in (None, pid), f"another {name}", 10)
    platform.wait_for(lambda: platform.is_ready(), "the platform to be ready", 10)


def wires(platform: Platform) -> list[Wire]:
    """One to each worker; one that has just begun is waited for."""
    until = time.monotonic() + 10
    while True:
        try:
            return list(wires_to_each_worker(platform).values())
        except (AssertionError, OSError):
            assert time.monotonic() < until


@pytest.mark.parametrize("victim", WORKERS)
def test_a_session_outlives_the_worker_that_holds_its_streams(platform: Platform, victim: str) -> None:
    """Its streams end, and the client comes back with the last id: it is told to look again, and hears of the resource
    that it is subscribed to, without subscribing again. Its log level holds."""
    session = LegacySession(wires(platform)[0], platform.api_key)
    events = Events(get(Wire(platform), session.headers))
    first = events.next()
    assert first is not None
    uri = uri_of("http")
    assert session.request("logging/setLevel", {"level": "error"}, wire=Wire(platform)).json()["result"] == {}
    assert session.request("resources/subscribe", {"uri": uri}, wire=Wire(platform)).json()["result"] == {}
    for worker in (victim, *(each for each in WORKERS if each != victim)):
        kill(platform, worker)
        if session.request("ping", {}, wire=wires(platform)[0]).json().get("result") != {}:
            raise AssertionError("the session is gone")
    assert events.rest() == []
    again = Events(get(Wire(platform), session.headers, first.id))
    kinds = {again.message()["method"] for _ in range(3)}
    assert kinds == {f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")}
    platform.wait_for(lambda: _hears(platform, session, uri), "the subscription to be restored")
    update(platform, "http", session)
    told = again.message()
    assert (told["method"], told["params"]["uri"]) == (UPDATED, uri)
    body = {"name": tool_of(platform, "http", "test_tool_with_logging"), "arguments": {}}
    for wire in wires(platform):
        assert b"notifications/message" not in session.request("tools/call", body, wire=wire).body
    assert session.request("ping", {}, wire=Wire(platform)).json()["result"] == {}


def _hears(platform: Platform, session: LegacySession, uri: str) -> bool:
    """Whether the home of the session listens: subscribing once more is answered when it does."""
    return session.request("resources/subscribe", {"uri": uri}, wire=Wire(platform)).json().get("result") == {}


@pytest.mark.parametrize("victim", WORKERS)
def test_a_call_whose_worker_died_is_answered_with_one_error(platform: Platform, victim: str) -> None:
    """Whoever comes back for its answer learns that it is lost, under the id of the call."""
    by_name = wires_to_each_worker(platform)
    session = LegacySession(Wire(platform), platform.api_key)
    params = {"name": tool_of(platform, "http", "bridge_hang"), "arguments": {}}
    body = {"jsonrpc": "2.0", "id": "lost", "method": "tools/call", "params": params}
    events = Events(by_name[victim].send(json.dumps(body).encode(), session.headers))
    first = events.next()
    assert first is not None
    kill(platform, victim)
    assert events.rest() == []
    for wire in wires(platform):
        (lost,) = Events(get(wire, session.headers, first.id)).rest()
        assert (lost["id"], lost["error"]["data"]["error"]) == ("lost", "call_lost")


@pytest.mark.parametrize("victim", WORKERS)
def test_streams_of_a_dead_worker_end_and_those_of_the_other_go_on(platform: Platform, victim: str) -> None:
    """Modern listens and HTTP+SSE connections on both."""
    by_name = wires_to_each_worker(platform)
    door = Door(platform)
    key = door.ask("key.create", principal=f"kill-{victim}", agent="x", roles=["kills-http"])["api_key"]
    listens = {name: listen(wire, key, 1, toolsListChanged=True) for name, wire in by_name.items()}
    for stream in listens.values():
        stream.message()
    streams = {name: SseSession(platform, key, wire) for name, wire in wires_to_each_worker(platform).items()}
    for connection in streams.values():
        connection.initialize()
    kill(platform, victim)
    assert listens.pop(victim).rest() == []
    assert streams.pop(victim).events.rest() == []
    door.ask("role.grant", principal=f"kill-{victim}", name="member")
    for stream in listens.values():
        assert stream.message()["method"] == "notifications/tools/list_changed"
    for connection in streams.values():
        connection.poster = Wire(platform)
        assert connection.events.message()["method"].endswith("/list_changed")
        wires(platform)
        assert connection.post({"jsonrpc": "2.0", "id": 9, "method": "ping"})[0] == 202
        answered = connection.events.message()
        while "id" not in answered:
            answered = connection.events.message()
        assert answered["result"] == {}


def test_streams_go_on_without_control_and_hear_what_changes_after_it(platform: Platform) -> None:
    door = Door(platform)
    key = door.ask("key.create", principal="kill-control", agent="x", roles=["kills-http"])["api_key"]
    session = LegacySession(Wire(platform), key)
    streams = [opened(platform, session.headers), listen(Wire(platform), key, 1, toolsListChanged=True)]
    streams[1].message()
    assert session.request("logging/setLevel", {"level": "error"}).json()["result"] == {}
    kill(platform, "control")
    platform.wait_for(lambda: "ok" in str(_status(platform)), "control to answer", 10)
    assert session.request("ping", {}, wire=Wire(platform)).json()["result"] == {}
    Door(platform).ask("role.grant", principal="kill-control", name="member")
    for stream in streams:
        assert stream.message()["method"].endswith("/list_changed")
    for wire in wires(platform):  # what control knew of sessions it has learned again
        assert session.request("ping", {}, wire=wire).json()["result"] == {}


def _status(platform: Platform) -> object:
    try:
        Door(platform).ask("status")
    except OSError:
        return None
    return "ok"


def test_a_subscription_outlives_the_host_of_its_server(platform: Platform) -> None:
    """The process of the server dies with its host; the client is told that something may have changed, and hears of
    the next change."""
    session = LegacySession(Wire(platform), platform.api_key)
    stream = opened(platform, session.headers)
    modern = listen(Wire(platform), platform.api_key, 1, resourceSubscriptions=[uri_of("stdio")])
    assert modern.message()["params"]["notifications"] == {"resourceSubscriptions": [uri_of("stdio")]}
    assert session.request("resources/subscribe", {"uri": uri_of("stdio")}).json()["result"] == {}
    kill(platform, "upstream-host")
    for each in (stream, modern):
        while (told := each.message())["method"] != UPDATED:
            assert each is stream
        assert told["params"]["uri"] == uri_of("stdio")
    update(platform, "stdio", session)
    while stream.message()["method"] != UPDATED:
        pass


def test_a_subscription_outlives_its_server(platform: Platform) -> None:
    """As with its host, when the process of the server itself is killed. Who subscribes meanwhile waits for it."""
    session = LegacySession(Wire(platform), platform.api_key)
    stream = opened(platform, session.headers)
    assert session.request("resources/subscribe", {"uri": uri_of("stdio")}).json()["result"] == {}
    for process in platform.family():
        if "conformance.py" in process.line and "--only" in process.line:
            process.kill()
    other = LegacySession(Wire(platform), platform.api_key)
    assert other.request("resources/subscribe", {"uri": uri_of("stdio")}).json().get("result") == {}
    while (told := stream.message())["method"] != UPDATED:
        pass
    assert told["params"]["uri"] == uri_of("stdio")
    update(platform, "stdio", session)
    while stream.message()["method"] != UPDATED:
        pass


def test_a_platform_that_stops_ends_its_streams_at_once(tmp_path: Path) -> None:
    """A stream that may be open for hours is nothing to wait for; a listen is answered at its end (2026-07-28)."""
    with running_platform(tmp_path) as running:
        session = LegacySession(Wire(running), running.api_key)
        stream = opened(running, session.headers)
        modern = listen(Wire(running), running.api_key, 4, toolsListChanged=True)
        modern.message()
        older = SseSession(running, running.api_key)
        began = time.monotonic()
        running.stop()
        took_s = time.monotonic() - began
        assert stream.rest() == []
        assert older.events.rest() == []
        (last,) = modern.rest()
        assert (last["id"], last["result"]["resultType"], last["result"]["_meta"][KEY]) == (4, "complete", 4)
        assert took_s < 5.0, "the drain waits 20 s for what does not end by itself"
