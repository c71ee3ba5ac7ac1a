"""What servers of every transport and era say of their changes reaches clients of both eras, in the client's names."""

import json
import os
import select
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from tests.gateway.events import Events
from tests.gateway.served import SERVERS, served
from tests.gateway.wires import Wire, wires_to_each_worker
from tests.journeys.platform import Platform, modern_request, running_platform
from tests.peers.environments import python_of

pytestmark = [pytest.mark.peers, pytest.mark.long]
URI = "note://one"
KINDS = ("stdio-legacy", "stdio-modern", "http-legacy", "http-modern", "sse-legacy")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One server of each kind, shared by the agents."""
    with running_platform(tmp_path_factory.mktemp("changes")) as running, ExitStack() as servers:
        for kind in KINDS:
            way, era = kind.split("-")
            peer, script = ("mcp1" if era == "legacy" else "mcp2"), f"changing_{era}.py"
            if way == "stdio":
                where = ["--", str(python_of(peer)), str(SERVERS / script)]
            else:
                where = [servers.enter_context(served(peer, script, f"--{way}"))]
            running.cli("server", "add", kind, "--shared", *where)
        yield running


def named(wire: Wire, kind: str, tool: str) -> str:
    """The name under which a client sees this server's tool."""
    tools = wire.rpc("tools/list", {}).json()["result"]["tools"]
    names = [each["name"] for each in tools if each["name"].rpartition(".")[2] == tool]
    return f"{kind}.{tool}" if f"{kind}.{tool}" in names else tool


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_a_list_and_of_a_resource_is_heard(platform: Platform, kind: str) -> None:
    """The server's own notification is what is heard: nobody else changes anything meanwhile."""
    wire, listener = Wire(platform), Wire(platform)
    exposed = f"mcpp://{kind}/{quote(URI, safe='')}"
    wanted = {"notifications": {"toolsListChanged": True, "resourceSubscriptions": [exposed]}}
    body, headers = modern_request("subscriptions/listen", wanted, platform.api_key)
    stream = Events(listener.send(body, headers))
    honoured = stream.message()["params"]["notifications"]
    assert honoured["toolsListChanged"]
    assert wire.call(named(wire, kind, "change")).status == 200
    assert stream.message()["method"] == "notifications/tools/list_changed"
    if honoured.get("resourceSubscriptions") != [exposed]:
        pytest.fail(f"the subscription of {exposed} is not honoured: {json.dumps(honoured)}")
    for other in wires_to_each_worker(platform).values():
        # This server tells the session that it was called in, and each worker has one of its own.
        assert other.call(named(wire, kind, "touch"), {"uri": URI}).status == 200
    updated = stream.updated()
    assert updated["method"] == "notifications/resources/updated"
    assert updated["params"]["uri"] == exposed


@pytest.mark.parametrize("kind", ["stdio-legacy", "stdio-modern"])
@pytest.mark.parametrize("victim", ["server", "upstream-host"])
def test_a_subscription_outlives_its_server_and_the_host(platform: Platform, kind: str, victim: str) -> None:
    """Killed in the middle of an open subscription; the client's own stream stays what it is."""
    wire, listener = Wire(platform), Wire(platform)
    exposed = f"mcpp://{kind}/{quote(URI, safe='')}"
    wanted = {"notifications": {"resourceSubscriptions": [exposed]}}
    body, headers = modern_request("subscriptions/listen", wanted, platform.api_key)
    stream = Events(listener.send(body, headers))
    assert stream.message()["params"]["notifications"] == {"resourceSubscriptions": [exposed]}
    touch = named(wire, kind, "touch")
    if victim == "server":
        wire.call(named(wire, kind, "crash"))
    else:
        os.kill(platform.pids()["upstream-host"], signal.SIGKILL)

    def is_heard() -> bool:
        wire.call(touch, {"uri": URI})
        return bool(select.select([stream.answer.fp], [], [], 0.5)[0])  # type: ignore[attr-defined]  # an HTTPResponse has one

    platform.wait_for(is_heard, "an update of the server that was started again", 30)
    assert stream.message()["params"]["uri"] == exposed
