"""A server that remembers within its session is asked in the same one each time, and nobody finds another's there."""

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from tests.gateway.door import Door
from tests.gateway.served import SERVERS, served
from tests.gateway.test_listen import listen
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Platform, running_platform
from tests.journeys.processes import kill_and_see_dead
from tests.peers.environments import python_of

pytestmark = pytest.mark.peers
WAYS = ("stdio", "http", "sse")
SCRIPT = "remembering_legacy.py"
ROOTS = {"roots": {}}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("kept"), workers=3) as running, ExitStack() as servers:
        running.cli("server", "add", "stdio", "--", str(python_of("mcp1")), str(SERVERS / SCRIPT))
        for way in ("http", "sse"):
            running.cli("server", "add", way, servers.enter_context(served("mcp1", SCRIPT, f"--{way}")))
        yield running


@pytest.fixture
def key(platform: Platform, request: pytest.FixtureRequest) -> str:
    """Of a principal that has called nothing yet."""
    name = f"p-{abs(hash(request.node.name)) % 10**9}"
    return str(Door(platform).ask("key.create", principal=name, agent="x", roles=["member"])["api_key"])


def tool_of(platform: Platform, way: str, tool: str) -> str:
    rows = platform.cli("server", "tools", way)["tools"]
    return str(next(row["exposed"] for row in rows if row["name"] == tool))


def text(answer: object) -> str:
    return str(answer.json()["result"]["content"][0]["text"])  # type: ignore[attr-defined]  # an Answer


@pytest.mark.parametrize("way", WAYS)
def test_a_modern_client_finds_what_it_left_through_every_worker(platform: Platform, way: str, key: str) -> None:
    wires = wires_to_each_worker(platform).values()
    for number, wire in enumerate(wires):
        call = {"name": tool_of(platform, way, "remember"), "arguments": {"text": str(number)}}
        assert text(wire.rpc("tools/call", call, key)) == "remembered"
    for wire in wires:
        assert text(wire.rpc("tools/call", {"name": tool_of(platform, way, "recall"), "arguments": {}}, key)) == "0,1,2"


@pytest.mark.parametrize("way", WAYS)
def test_a_legacy_session_finds_what_it_left_through_every_worker(platform: Platform, way: str, key: str) -> None:
    wires = list(wires_to_each_worker(platform).values())
    session = LegacySession(wires[0], key)
    for number, wire in enumerate(wires):
        call = {"name": tool_of(platform, way, "remember"), "arguments": {"text": str(number)}}
        assert text(session.request("tools/call", call, wire=wire)) == "remembered"
    for wire in wires:
        call = {"name": tool_of(platform, way, "recall"), "arguments": {}}
        assert text(session.request("tools/call", call, wire=wire)) == "0,1,2"


@pytest.mark.parametrize("capabilities", [{}, ROOTS])
@pytest.mark.parametrize("way", WAYS)
def test_nobody_finds_what_another_left(platform: Platform, way: str, capabilities: object, key: str) -> None:
    """Not even where their clients can be asked nothing."""
    LegacySession(Wire(platform), key, capabilities=capabilities).request(
        "tools/call", {"name": tool_of(platform, way, "remember"), "arguments": {"text": "a secret"}}
    )
    other = Door(platform).ask("key.create", principal="curious", agent="x", roles=["member"])["api_key"]
    recall = {"name": tool_of(platform, way, "recall"), "arguments": {}}
    for wire in wires_to_each_worker(platform).values():
        session = LegacySession(wire, other, capabilities=capabilities)
        assert text(session.request("tools/call", recall)) == ""
        assert text(wire.rpc("tools/call", recall, other)) == ""


def test_who_watches_a_resource_hears_what_only_the_calling_session_is_told(platform: Platform, key: str) -> None:
    """Whichever worker the stream and the call come to."""
    wires = list(wires_to_each_worker(platform).values())
    uri = f"mcpp://http/{quote('note://one', safe='')}"
    call = {"name": tool_of(platform, "http", "watch"), "arguments": {}}
    stream = listen(wires[1], key, 1, resourceSubscriptions=[uri])
    assert stream.message()["params"]["notifications"] == {"resourceSubscriptions": [uri]}
    for wire in (wires[0], wires[2]):
        assert text(wire.rpc("tools/call", call, key)) == "said"
        assert stream.updated()["params"]["uri"] == uri


def test_a_dead_worker_takes_its_sessions_along_and_nobody_waits_for_it(platform: Platform, key: str) -> None:
    """What the server remembered is gone with its session; the next call begins another, at once."""
    recall = {"name": tool_of(platform, "http", "recall"), "arguments": {}}
    for name in [name for name in platform.pids() if name.startswith("worker")]:
        kill_and_see_dead([platform.pids()[name]])
        assert text(platform.rpc("tools/call", recall, key=key)) == ""
        platform.wait_for(platform.is_ready, "/readyz")
