"""Every client calls tools of every stock server through one platform, and is refused where it should be.

Issue: official Python 1.30 and 2.3, the inspector and plain curl, over stdio and HTTP, one legacy and one modern
server of each. The TypeScript clients come on top.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.journeys import stock_servers as stock
from tests.journeys.clients import OFFICIAL, Client, curl, inspector
from tests.journeys.platform import LEGACY, Platform, modern_request, running_platform

pytestmark = pytest.mark.peers

SERVERS = {
    "modern-stdio": stock.TIME,
    "legacy-stdio": stock.SQLITE,
    "modern-http": stock.FASTMCP,
    "legacy-http": stock.EVERYTHING,
}
WRONG_KEY = "mcpp_" + "0" * 50


@dataclass(frozen=True, slots=True)
class World:
    """A platform with the four servers, and a key that may call one tool of one of them."""

    platform: Platform
    narrow_key: str
    """May call only the tool of `modern-stdio`."""

    @property
    def url(self) -> str:
        return self.platform.mcp_url


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("matrix")
    with ExitStack() as stack:
        modern = stack.enter_context(stock.modern_http(folder / "modern.log"))
        legacy = stack.enter_context(stock.legacy_http(folder / "legacy.log"))
        platform = stack.enter_context(running_platform(folder))
        platform.cli("server", "add", "modern-stdio", "--", *stock.modern_stdio())
        platform.cli("server", "add", "legacy-stdio", "--", *stock.legacy_stdio(folder))
        platform.cli("server", "add", "modern-http", modern)
        platform.cli("server", "add", "legacy-http", legacy)
        platform.cli("role", "create", "narrow", "--allow", f"modern-stdio/{stock.TIME.tool}")
        made = platform.cli("key", "create", "--principal", "ana", "--role", "narrow")
        yield World(platform, made["api_key"])


@pytest.fixture(params=OFFICIAL, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest) -> Client:
    return request.param


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_platform_knows_which_era_each_server_speaks(world: World) -> None:
    eras = {row["name"]: row["era"] for row in world.platform.cli("server", "list")["servers"]}
    assert eras == {name: name.split("-")[0] for name in SERVERS}


def test_a_client_lists_and_calls(world: World, client: Client, server: str) -> None:
    example = SERVERS[server]
    started, listed, called, bad = client(
        world.url,
        world.platform.api_key,
        ["list"],
        ["call", example.tool, example.arguments],
        ["call", example.tool, example.bad_arguments],
    )
    assert started == {"era": client.era}
    assert {each.tool for each in SERVERS.values()} <= set(listed["tools"])
    assert called["failed"] is False
    assert example.expected in "".join(called["text"])
    assert_refused_for_its_arguments(bad)


def assert_refused_for_its_arguments(outcome: dict[str, Any]) -> None:
    assert outcome.get("failed") or outcome["error"]["code"] == -32602, outcome


def test_a_client_cannot_tell_a_forbidden_tool_from_none(world: World, client: Client) -> None:
    example, forbidden = stock.TIME, stock.SQLITE
    _, listed, called, refused, unknown = client(
        world.url,
        world.narrow_key,
        ["list"],
        ["call", example.tool, example.arguments],
        ["call", forbidden.tool, forbidden.arguments],
        ["call", "no_such_tool", forbidden.arguments],
    )
    assert listed == {"tools": [example.tool]}
    assert called["failed"] is False
    assert refused == unknown
    assert refused["error"]["code"] == -32602


def test_a_client_with_a_wrong_key_is_refused(world: World, client: Client) -> None:
    outcomes = client(world.url, WRONG_KEY, ["list"])
    assert len(outcomes) == 1
    assert "refused" in outcomes[0]


def test_the_inspector_lists_and_calls(world: World, server: str) -> None:
    example = SERVERS[server]
    listed = inspector(world.url, world.platform.api_key, "--method", "tools/list")
    assert listed.returncode == 0, listed.stderr
    assert example.tool in [tool["name"] for tool in json.loads(listed.stdout)["tools"]]
    arguments = [f"{name}={value}" for name, value in example.arguments.items()]
    line = ["--method", "tools/call", "--tool-name", example.tool]
    called = inspector(world.url, world.platform.api_key, *line, *(["--tool-arg", *arguments] if arguments else []))
    assert called.returncode == 0, called.stderr
    assert example.expected in called.stdout


def test_the_inspector_with_a_wrong_key_is_refused(world: World) -> None:
    assert inspector(world.url, WRONG_KEY, "--method", "tools/list").returncode != 0


def test_curl_lists_and_calls(world: World, server: str) -> None:
    example = SERVERS[server]
    status, listed = curl(world.url, *modern_request("tools/list", {}, world.platform.api_key))
    assert status == 200
    assert example.tool in [tool["name"] for tool in listed["result"]["tools"]]
    params = {"name": example.tool, "arguments": example.arguments}
    status, called = curl(world.url, *modern_request("tools/call", params, world.platform.api_key))
    assert status == 200
    assert example.expected in called["result"]["content"][0]["text"]


def test_curl_is_refused_by_status_and_code(world: World) -> None:
    call = {"name": stock.SQLITE.tool, "arguments": stock.SQLITE.arguments}
    status, body = curl(world.url, *modern_request("tools/call", call, WRONG_KEY))
    assert (status, body["error"]["code"]) == (401, -31402)
    status, body = curl(world.url, *modern_request("tools/call", call, None))
    assert (status, body["error"]["code"]) == (401, -31401)
    status, body = curl(world.url, *modern_request("tools/call", call, world.narrow_key))
    assert (status, body["error"]["code"]) == (400, -32602)
    bad = {"name": stock.SQLITE.tool, "arguments": stock.SQLITE.bad_arguments}
    status, body = curl(world.url, *modern_request("tools/call", bad, world.platform.api_key))
    assert status == 200
    assert body["result"]["isError"] is True


def test_curl_speaks_the_legacy_dialect(world: World) -> None:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {world.platform.api_key}",
    }
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "curl", "version": "1"}}
    started = world.platform.request("POST", "/mcp", rpc(1, "initialize", params), headers)
    assert started.json()["result"]["protocolVersion"] == LEGACY
    named = {**headers, "Mcp-Session-Id": started.headers["mcp-session-id"], "MCP-Protocol-Version": LEGACY}
    status, called = curl(
        world.url, rpc(2, "tools/call", {"name": stock.TIME.tool, "arguments": stock.TIME.arguments}), named
    )
    assert status == 200
    assert stock.TIME.expected in called["result"]["content"][0]["text"]


def rpc(number: int, method: str, params: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()
