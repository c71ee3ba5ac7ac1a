"""Virtual servers at the public door: who sees what, and that nothing of one endpoint is worth anything at another."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.door import Door
from tests.gateway.events import Events
from tests.gateway.wires import Wire
from tests.journeys.clients import OFFICIAL, Client
from tests.journeys.platform import LEGACY, Answer, Platform, modern_request, running_platform
from tests.journeys.stock_servers import legacy_stdio, legacy_stdio_npm, modern_stdio
from tests.peers.environments import python_of

pytestmark = pytest.mark.peers
SERVERS = Path(__file__).parents[1] / "peers" / "servers"
ELICITATION = {"elicitation": {"form": {}}}
ACCEPT = {"action": "accept", "content": {"colour": "green"}}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Four servers; virtual server `both` of two of them, `asking` of the one that asks, `few` for a role."""
    folder = tmp_path_factory.mktemp("virtual")
    with running_platform(folder) as running:
        running.cli("server", "add", "odd", "--", str(python_of("mcp1")), str(SERVERS / "eliciting_legacy.py"))
        running.cli("server", "add", "time", "--", *modern_stdio())
        running.cli("server", "add", "sqlite", "--", *legacy_stdio(folder))
        running.cli("server", "add", "everything", "--", *legacy_stdio_npm())
        running.cli("role", "create", "insider", "--allow", "time/*")
        chosen = ["--tool", "time/get_current_time", "--tool", "odd/echo"]
        running.cli("virtual", "create", "both", *chosen, "--title", "Both", "--description", "Time and echo.")
        running.cli("virtual", "add", "both", "--tool", "odd/add", "--as", "sum", "--describe", "Adds two numbers.")
        running.cli("virtual", "create", "asking", "--tool", "odd/ask", "--tool", "odd/echo")
        running.cli("virtual", "create", "few", "--tool", "time/get_current_time", "--role", "insider")
        running.cli("virtual", "create", "off", "--tool", "time/get_current_time")
        running.cli("virtual", "set", "off", "--disable")
        yield running


def key_of(platform: Platform, principal: str, *roles: str) -> str:
    return str(Door(platform).ask("key.create", principal=principal, agent="agent", roles=list(roles))["api_key"])


def at(platform: Platform, name: str, method: str, params: dict[str, Any] | None = None, **more: Any) -> Answer:
    return platform.rpc(method, params, path=f"/mcp/{name}", **more)


def tools(answer: Answer) -> list[str]:
    return [tool["name"] for tool in answer.json()["result"]["tools"]]


def text(answer: Answer) -> str:
    return str(answer.json()["result"]["content"][0]["text"])


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["data"]["error"]


def legacy(platform: Platform, path: str, message: dict[str, Any], session: str | None = None, **more: str) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {more.get('key', platform.api_key)}",
        **({"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY} if session else {}),
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, **message}).encode()
    return platform.request(more.get("method", "POST"), path, body, headers)


def initialize(platform: Platform, path: str) -> Answer:
    info = {"name": "test", "version": "1"}
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": info}
    return legacy(platform, path, {"method": "initialize", "params": params})


def test_a_virtual_server_lists_and_serves_what_was_chosen_in_the_operators_words(platform: Platform) -> None:
    listed = at(platform, "both", "tools/list").json()["result"]["tools"]
    assert [tool["name"] for tool in listed] == ["echo", "get_current_time", "sum"]
    assert listed[2]["description"] == "Adds two numbers."
    assert listed[2]["inputSchema"]["properties"].keys() == {"a", "b"}
    call = {"name": "sum", "arguments": {"a": 20, "b": 22}}
    assert text(at(platform, "both", "tools/call", call)) == "42"
    refused = at(platform, "both", "tools/call", {"name": "sum", "arguments": {"a": "twenty"}}).json()["result"]
    assert refused["isError"] is True
    for hidden in ("add", "read_query", "odd.add"):
        assert code(at(platform, "both", "tools/call", {"name": hidden})) == (400, "tool_unknown")
    found = at(platform, "both", "server/discover").json()["result"]
    assert found["instructions"].startswith("Both\n\nTime and echo.")


def test_the_unknown_the_disabled_and_the_forbidden_look_the_same(platform: Platform) -> None:
    """404 after authentication; nobody learns which names there are."""
    outsider = key_of(platform, "outsider", "member")
    answers = [at(platform, name, "tools/list", key=outsider) for name in ("nothing", "off", "few")]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1
    first = {name: value for name, value in answers[0].headers.items() if name not in ("date",)}
    assert all({n: v for n, v in a.headers.items() if n not in ("date",)} == first for a in answers)
    for name in ("nothing", "off", "few", "both"):
        refused = at(platform, name, "tools/list", key="mcpp_wrong")
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith('Bearer realm="mcp-platform"')
    for path in ("/mcp/", "/mcp/Both", "/mcp/both/", "/mcp/both/x", "/mcp/b.c", f"/mcp/{'x' * 33}"):
        assert platform.rpc("tools/list", path=path).status == 404


def test_who_holds_its_role_comes_in_and_sees_what_their_own_roles_allow(platform: Platform) -> None:
    """A virtual server widens nothing."""
    insider, member = key_of(platform, "insider", "insider"), platform.api_key
    assert tools(at(platform, "few", "tools/list", key=insider)) == ["get_current_time"]
    assert at(platform, "few", "tools/list", key=member).status == 404
    assert tools(at(platform, "both", "tools/list", key=insider)) == ["get_current_time"]
    call = {"name": "echo", "arguments": {"text": "x"}}
    assert code(at(platform, "both", "tools/call", call, key=insider)) == (400, "tool_unknown")
    assert at(platform, "both", "tools/call", call, key=member).status == 200


def test_a_session_of_one_endpoint_is_worthless_at_another(platform: Platform) -> None:
    sessions = {}
    for path in ("/mcp", "/mcp/both", "/mcp/asking"):
        answer = initialize(platform, path)
        assert answer.status == 200, answer
        sessions[path] = answer.headers["mcp-session-id"]
    for path, session in sessions.items():
        for other in sessions:
            listed = legacy(platform, other, {"method": "tools/list"}, session)
            assert listed.status == (200 if other == path else 404), (path, other)
            if other != path:
                assert legacy(platform, other, {}, session, method="DELETE").status == 404
    assert tools(legacy(platform, "/mcp/both", {"method": "tools/list"}, sessions["/mcp/both"])) == [
        "echo",
        "get_current_time",
        "sum",
    ]
    assert legacy(platform, "/mcp/both", {}, sessions["/mcp/both"], method="DELETE").status == 200
    assert legacy(platform, "/mcp/both", {"method": "tools/list"}, sessions["/mcp/both"]).status == 404


def test_a_request_state_of_one_endpoint_is_worthless_at_another(platform: Platform) -> None:
    """The same tool of the same server, called by the same principal with the same arguments."""

    def ask(path: str, **more: Any) -> Answer:
        body, headers = modern_request("tools/call", {"name": "ask", "arguments": {}, **more}, platform.api_key)
        message = json.loads(body)
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = ELICITATION
        return platform.request("POST", path, json.dumps(message).encode(), headers)

    for path, other in (("/mcp/asking", "/mcp"), ("/mcp", "/mcp/asking")):
        result = ask(path).json()["result"]
        assert result["resultType"] == "input_required"
        given = {
            "inputResponses": dict.fromkeys(result["inputRequests"], ACCEPT),
            "requestState": result["requestState"],
        }
        assert code(ask(other, **given)) == (400, "request_state_invalid")
        assert text(ask(path, **given)) == "accept:green"


def test_the_record_names_the_endpoint(platform: Platform) -> None:
    call = {"name": "echo", "arguments": {"text": "recorded"}}
    before = len(platform.cli("audit", "search", "endpoint:both method:tools/call kind:call")["rows"])
    at(platform, "both", "tools/list", {})
    at(platform, "both", "tools/call", call)
    platform.rpc("tools/call", call)

    def there() -> bool:
        rows = platform.cli("audit", "search", "endpoint:both method:tools/call kind:call")["rows"]
        return len(rows) > before and rows[0]["tool"] == "echo"  # calls of other tests may come in only now

    platform.wait_for(there, "the record", 20)
    listed = ("audit", "search", "endpoint:both kind:answered method:tools/list")
    platform.wait_for(lambda: bool(platform.cli(*listed)["rows"]), "the record of the list", 20)


def test_what_is_dropped_disappears_at_once_and_its_calls_are_cut(platform: Platform) -> None:
    platform.cli("virtual", "create", "brief", "--tool", "odd/hang", "--tool", "odd/echo")
    wire = Wire(platform)
    body, headers = modern_request("tools/call", {"name": "hang", "arguments": {}}, platform.api_key)
    wire._connection.request("POST", "/mcp/brief", body, headers)
    search = ("audit", "search", "endpoint:brief outcome:open")
    platform.wait_for(lambda: bool(platform.cli(*search)["rows"]), "the call", 20)
    platform.cli("virtual", "drop", "brief", "--tool", "odd/hang")
    answer = wire._connection.getresponse()
    data = [line[5:] for line in answer.read().splitlines() if line.startswith((b"data:", b"{"))]
    assert b'"revoked"' in data[-1] or answer.status in (401, 403)
    assert tools(at(platform, "brief", "tools/list")) == ["echo"]
    platform.cli("virtual", "remove", "brief")
    assert at(platform, "brief", "tools/list").status == 404


def test_a_limit_of_one_endpoint_counts_there_alone_and_one_of_mcp_everywhere(platform: Platform) -> None:
    platform.cli("virtual", "create", "slow", "--tool", "odd/echo")
    platform.cli("limit", "set", "slow", "--rate", "2/h", "--endpoint", "/mcp/slow")
    key = key_of(platform, "patient", "member")
    answers = [at(platform, "slow", "tools/list", key=key).status for _ in range(3)]
    assert answers == [200, 200, 429]
    assert platform.rpc("tools/list", key=key).status == 200
    assert at(platform, "both", "tools/list", key=key).status == 200
    platform.cli("limit", "remove", "slow")
    assert at(platform, "slow", "tools/list", key=key).status == 200
    platform.cli("limit", "set", "all-of-mcp", "--rate", "3/h", "--endpoint", "/mcp", "--principal", "patient")
    statuses = [at(platform, name, "tools/list", key=key).status for name in ("slow", "both", "asking", "slow")]
    assert statuses == [200, 200, 200, 429]
    platform.cli("limit", "remove", "all-of-mcp")
    platform.cli("limit", "set", "echoes", "--rate", "1/h", "--tool", "odd/add")
    sums = [at(platform, "both", "tools/call", {"name": "sum", "arguments": {"a": 1, "b": 1}}, key=key) for _ in "ab"]
    assert [answer.status for answer in sums] == [200, 429]
    platform.cli("limit", "remove", "echoes")
    platform.cli("virtual", "remove", "slow")


def test_prompts_resources_and_templates_are_chosen_like_tools(platform: Platform) -> None:
    everything = ["--prompt", "everything/*", "--resource", "everything/*", "--template", "everything/*"]
    platform.cli("virtual", "create", "docs", *everything)
    prompts = at(platform, "docs", "prompts/list").json()["result"]["prompts"]
    assert "simple-prompt" in {prompt["name"] for prompt in prompts}
    first = "simple-prompt"
    platform.cli(
        "virtual", "add", "docs", "--prompt", f"everything/{first}", "--as", "first", "--describe", "The first."
    )
    renamed = {p["name"]: p for p in at(platform, "docs", "prompts/list").json()["result"]["prompts"]}
    assert first not in renamed
    assert renamed["first"]["description"] == "The first."
    assert at(platform, "docs", "prompts/get", {"name": "first"}).json()["result"]["messages"]
    assert code(at(platform, "docs", "prompts/get", {"name": first})) == (400, "prompt_unknown")
    resources = at(platform, "docs", "resources/list").json()["result"]["resources"]
    assert resources
    uri = resources[0]["uri"]
    read = [at(platform, name, "resources/read", {"uri": uri}, headers={"Mcp-Name": uri}) for name in ("docs", "both")]
    assert read[0].json()["result"]["contents"]
    assert code(read[1]) == (400, "resource_unknown")
    assert at(platform, "docs", "resources/templates/list").json()["result"]["resourceTemplates"]
    assert tools(at(platform, "docs", "tools/list")) == []
    platform.cli("virtual", "remove", "docs")


@pytest.mark.parametrize("client", OFFICIAL, ids=lambda client: client.name)
def test_official_clients_work_at_a_virtual_server(platform: Platform, client: Client) -> None:
    """And are refused, without hanging, where there is none for them."""
    outcomes = client(
        platform.mcp_url + "/both",
        platform.api_key,
        ["list"],
        ["call", "sum", {"a": 20, "b": 22}],
        ["call", "get_current_time", {"timezone": "Asia/Tokyo"}],
    )
    assert outcomes[1] == {"tools": ["echo", "get_current_time", "sum"]}
    assert "42" in json.dumps(outcomes[2])
    assert "Asia/Tokyo" in json.dumps(outcomes[3])
    assert "tools" not in json.dumps(client(platform.mcp_url + "/few", platform.api_key, ["list"]))


def test_what_agents_are_told_is_shown_to_people(platform: Platform, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("Ask the time first.\nThen rest.\n")
    platform.cli("virtual", "set", "off", "--instructions", str(words))
    people = platform.run("virtual", "show", "off").stdout
    assert "Instructions Ask the time first.\n             Then rest.\n" in people


def test_the_command_line_says_what_is_there_and_what_is_wrong(platform: Platform) -> None:
    shown = platform.cli("virtual", "show", "both")
    assert [(each["own"], each["exposed"]) for each in shown["items"]] == [
        ("add", "sum"),
        ("echo", "echo"),
        ("get_current_time", "get_current_time"),
    ]
    assert shown["tokens"] == shown["tokens_without_search"] == sum(each["tokens"] for each in shown["items"])
    assert "both" in [row["name"] for row in platform.cli("virtual", "list")["virtual_servers"]]
    people = platform.run("virtual", "show", "both").stdout
    assert "/mcp/both" in people
    assert "sum" in people
    for status, arguments in (
        (1, ("show", "nothing")),
        (1, ("create", "both")),
        (2, ("create", "Not A Name")),
        (2, ("create", "sse")),
        (2, ("create", "x", "--tool", "no-slash")),
        (2, ("create", "x", "--tool", "odd/*")),
        (1, ("create", "x", "--tool", "odd/nothing")),
        (1, ("create", "x", "--server", "nothing")),
        (2, ("create", "x", "--role", "nobody-made-it")),
        (2, ("add", "both", "--tool", "odd/echo", "--as", "not a name")),
        (1, ("add", "both", "--tool", "odd/hang", "--as", "sum")),
        (2, ("add", "both", "--server", "odd", "--as", "x")),
        (2, ("drop", "both")),
        (1, ("drop", "both", "--tool", "odd/hang")),
        (2, ("set", "both", "--role", "member", "--every-principal")),
        (1, ("remove", "nothing")),
    ):
        assert platform.run("virtual", *arguments).returncode == status, arguments


def test_doctor_tells_of_what_is_left_out(platform: Platform, tmp_path: Path) -> None:
    platform.cli("server", "add", "brief", "--", *legacy_stdio(tmp_path))
    platform.cli("virtual", "create", "mixed", "--tool", "brief/read_query", "--tool", "odd/echo")
    platform.cli("server", "remove", "brief")
    found = json.loads(platform.run("doctor", "--json").stdout)["findings"]
    by_check = {each["check"]: each for each in found}
    assert by_check["virtual.mixed"]["level"] == "warning"
    assert by_check["virtual.both"]["level"] == "ok"
    assert tools(at(platform, "mixed", "tools/list")) == ["echo"]
    platform.cli("virtual", "remove", "mixed")


def listen(platform: Platform, path: str) -> Events:
    wire = Wire(platform)
    wanted = {"notifications": {"toolsListChanged": True}}
    body, headers = modern_request("subscriptions/listen", wanted, platform.api_key)
    wire._connection.request("POST", path, body, headers)
    stream = Events(wire._connection.getresponse())
    assert stream.message()["method"] == "notifications/subscriptions/acknowledged"
    return stream


def test_a_change_of_a_virtual_server_is_told_and_who_loses_it_is_cut(platform: Platform) -> None:
    platform.cli("virtual", "create", "told", "--tool", "odd/echo", "--tool", "odd/add")
    told = listen(platform, "/mcp/told")
    for change in (
        ("drop", "told", "--tool", "odd/add"),
        ("add", "told", "--tool", "odd/echo", "--describe", "Says it again."),
        ("set", "told", "--tool-search"),
    ):
        platform.cli("virtual", *change)
        assert told.message()["method"] == "notifications/tools/list_changed", change
    platform.cli("virtual", "set", "told", "--role", "insider")
    assert [each["error"]["data"]["error"] for each in told.rest()] == ["permission_revoked"]
    platform.cli("virtual", "remove", "told")
