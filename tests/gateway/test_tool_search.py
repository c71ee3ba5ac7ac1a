"""The search of tools at the public door: found is what the caller may use, and a call is a call of the tool meant."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.door import Door
from tests.journeys.clients import OFFICIAL, Client
from tests.journeys.platform import Answer, Platform, modern_request, running_platform
from tests.journeys.stock_servers import legacy_stdio, legacy_stdio_npm, modern_stdio
from tests.peers.environments import python_of

pytestmark = pytest.mark.peers
SERVERS = Path(__file__).parents[1] / "peers" / "servers"
ELICITATION = {"elicitation": {"form": {}}}
ACCEPT = {"action": "accept", "content": {"colour": "green"}}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Virtual server `tools` with every tool of four servers behind the search."""
    folder = tmp_path_factory.mktemp("search")
    with running_platform(folder) as running:
        commands = {
            "odd": [str(python_of("mcp1")), str(SERVERS / "eliciting_legacy.py")],
            "time": modern_stdio(),
            "sqlite": legacy_stdio(folder),
            "everything": legacy_stdio_npm(),
        }
        for name, command in commands.items():
            running.cli("server", "add", name, "--", *command)
        door = Door(running)
        door.ask("role.create", name="clock", rules=["time/*"])
        listed = door.ask("server.tools")["tools"]
        items = [{"server": each["server"], "own": each["name"]} for each in listed if each["exposed"]]
        door.ask("virtual.create", name="tools", items=items, tool_search=True)
        yield running


def ask(platform: Platform, tool: str, arguments: object, **more: Any) -> Answer:
    body, headers = modern_request(
        "tools/call", {"name": tool, "arguments": arguments}, more.pop("key", platform.api_key)
    )
    message = json.loads(body)
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = ELICITATION
    message["params"].update(more)
    return platform.request("POST", "/mcp/tools", json.dumps(message).encode(), headers)


def found(platform: Platform, query: str, **more: Any) -> list[dict[str, Any]]:
    answer = ask(platform, "search_tools", {"query": query, **more.pop("arguments", {})}, **more)
    assert answer.status == 200, answer
    result = answer.json()["result"]
    tools: list[dict[str, Any]] = result["structuredContent"]["tools"]
    assert not tools or json.loads(result["content"][0]["text"]) == {"tools": tools}
    return tools


def test_an_agent_sees_two_tools_and_is_told_how_to_use_them(platform: Platform) -> None:
    listed = platform.rpc("tools/list", path="/mcp/tools").json()["result"]
    assert [tool["name"] for tool in listed["tools"]] == ["call_tool", "search_tools"]
    assert "nextCursor" not in listed
    about = platform.rpc("server/discover", path="/mcp/tools").json()["result"]
    assert "`search_tools`" in about["instructions"]
    shown = platform.cli("virtual", "show", "tools")
    assert shown["tokens"] == shown["tokens_with_search"] < shown["tokens_without_search"]


def test_a_search_finds_whole_definitions_verbatim(platform: Platform) -> None:
    """As `/mcp` lists them: schemas, annotations, order of members."""
    whole = {tool["name"]: tool for tool in platform.rpc("tools/list").json()["result"]["tools"]}
    for query, name in (("what time is it now in Tokyo", "get_current_time"), ("run a SELECT query", "read_query")):
        tools = found(platform, query)
        assert name in [tool["name"] for tool in tools]
        assert all(json.dumps(tool) == json.dumps(whole[tool["name"]]) for tool in tools)
    assert len(found(platform, "query", arguments={"limit": 2})) == 2
    assert found(platform, "query") == found(platform, "query")
    assert found(platform, "xyzzy") == []


def test_only_what_the_caller_may_use_is_found_and_called(platform: Platform) -> None:
    key = Door(platform).ask("key.create", principal="clockmaker", agent="x", roles=["clock"])["api_key"]
    for query in ("time", "read query select", "echo text", "search_tools call_tool"):
        names = {tool["name"] for tool in found(platform, query, key=key)}
        assert names <= {"get_current_time", "convert_time"}, query
    inner = {"name": "echo", "arguments": {"text": "x"}}
    refused = ask(platform, "call_tool", inner, key=key)
    unknown = ask(platform, "call_tool", {"name": "no_such_tool"}, key=key)
    assert (refused.status, refused.body) == (unknown.status, unknown.body)
    assert refused.json()["error"]["data"]["error"] == "tool_unknown"


def test_a_call_is_checked_and_recorded_as_the_tool_that_is_meant(platform: Platform) -> None:
    inner = {"name": "read_query", "arguments": {"query": "SELECT 40 + 2 AS answer"}}
    assert "42" in ask(platform, "call_tool", inner).json()["result"]["content"][0]["text"]
    wrong = ask(platform, "call_tool", {"name": "read_query", "arguments": {"query": 7}}).json()["result"]
    assert (wrong["isError"], wrong["_meta"]["mcp-platform/error"]["error"]) == (True, "arguments_invalid")

    def there() -> bool:
        rows = platform.cli("audit", "search", "endpoint:tools kind:call tool:sqlite/read_query outcome:ok")["rows"]
        return bool(rows) and rows[0]["definition"] != ""

    platform.wait_for(there, "the record", 20)
    found(platform, "time")
    searched = ("audit", "search", 'endpoint:tools kind:answered method:"tools/call search_tools"')
    platform.wait_for(lambda: bool(platform.cli(*searched)["rows"]), "the record of a search", 20)
    assert platform.cli("audit", "search", "endpoint:tools tool:call_tool")["rows"] == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search_tools", {}),
        ("search_tools", {"query": ""}),
        ("search_tools", {"query": 7}),
        ("search_tools", {"query": "x", "limit": 21}),
        ("search_tools", {"query": "x", "more": 1}),
        ("call_tool", {}),
        ("call_tool", {"name": "echo", "arguments": "x"}),
        ("call_tool", {"name": 7}),
        ("call_tool", {"name": "echo", "other": {}}),
    ],
)
def test_arguments_of_the_two_are_checked_like_any(platform: Platform, tool: str, arguments: dict[str, Any]) -> None:
    result = ask(platform, tool, arguments).json()["result"]
    assert result["isError"] is True
    assert result["_meta"]["mcp-platform/error"]["error"] == "arguments_invalid"


@pytest.mark.parametrize("inner", ["call_tool", "search_tools"])
def test_the_two_are_no_tools_themselves(platform: Platform, inner: str) -> None:
    refused = ask(platform, "call_tool", {"name": inner, "arguments": {"name": "echo"}})
    assert refused.json()["error"]["data"]["error"] == "tool_unknown"
    assert ask(platform, "search_tools", []).status == 400
    assert platform.call(inner, {"query": "x", "name": "echo"}).json()["error"]["data"]["error"] == "tool_unknown"


def test_a_tool_that_asks_is_answered_through_call_tool(platform: Platform) -> None:
    """MRTR: the state is bound to the inner call, so the same question of another call takes no answer."""
    inner = {"name": "ask", "arguments": {}}
    result = ask(platform, "call_tool", inner).json()["result"]
    assert result["resultType"] == "input_required"
    given = {"inputResponses": dict.fromkeys(result["inputRequests"], ACCEPT), "requestState": result["requestState"]}
    other = {"name": "ask", "arguments": {"question": "Another?"}}
    assert ask(platform, "call_tool", other, **given).json()["error"]["data"]["error"] == "request_state_invalid"
    assert ask(platform, "call_tool", inner, **given).json()["result"]["content"][0]["text"] == "accept:green"


def test_progress_of_the_inner_call_reaches_the_client(platform: Platform) -> None:
    inner = {"name": "progress", "arguments": {"steps": 3}}
    body, headers = modern_request("tools/call", {"name": "call_tool", "arguments": inner}, platform.api_key)
    message = json.loads(body)
    message["params"]["_meta"]["progressToken"] = "mine"
    answer = platform.request("POST", "/mcp/tools", json.dumps(message).encode(), headers)
    events = [json.loads(line[5:]) for line in answer.body.decode().splitlines() if line.startswith("data:")]
    assert [event["params"]["progressToken"] for event in events[:-1]] == ["mine"] * 3
    assert "result" in events[-1]


@pytest.mark.parametrize("client", OFFICIAL, ids=lambda client: client.name)
def test_official_clients_search_and_call(platform: Platform, client: Client) -> None:
    url = platform.mcp_url + "/tools"
    outcomes = client(
        url,
        platform.api_key,
        ["list"],
        ["call", "search_tools", {"query": "current time of a timezone"}],
        ["call", "call_tool", {"name": "get_current_time", "arguments": {"timezone": "Asia/Tokyo"}}],
    )
    assert outcomes[1] == {"tools": ["call_tool", "search_tools"]}, outcomes
    assert "get_current_time" in json.dumps(outcomes[2]), outcomes
    assert "Asia/Tokyo" in json.dumps(outcomes[3]), outcomes
