"""Bad input at the agents' door: each with its exact answer (the issue's list)."""

import json
import os
from typing import Any

import pytest

from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Answer, Platform, modern_request

pytestmark = pytest.mark.peers


def send(platform: Platform, body: bytes, **changed: str | None) -> Answer:
    """A modern tools/call's headers around any body; a header set to None is left out."""
    _, headers = modern_request("tools/call", {"name": "echo"}, platform.api_key)
    for name, value in changed.items():
        header = name.replace("_", "-")
        headers = {known: kept for known, kept in headers.items() if known.lower() != header.lower()}
        if value is not None:
            headers[header] = value
    return platform.request("POST", "/mcp", body, headers)


def good_body() -> bytes:
    return modern_request("tools/call", {"name": "echo", "arguments": {"text": "hi"}}, None)[0]


def error_of(answer: Answer) -> tuple[int, int, str]:
    """HTTP status, JSON-RPC code, our own code."""
    error = answer.json()["error"]
    return answer.status, error["code"], error["data"]["error"]


def garbled(key: str) -> str:
    return key[:-8] + ("A" if key[-8] != "A" else "B") + key[-7:]


def test_a_good_call_is_answered(platform: Platform) -> None:
    """Or every refusal below would prove nothing."""
    answer = send(platform, good_body())
    assert answer.status == 200
    assert answer.json()["result"]["content"][0]["text"] == "hi"
    assert answer.json()["result"]["resultType"] == "complete"


@pytest.mark.parametrize(
    ("credential", "code"),
    [
        (None, "credential_missing"),
        ("", "credential_missing"),
        ("Basic dXNlcjpwYXNz", "credential_missing"),
        ("Bearer", "credential_missing"),
        ("Bearer x", "key_invalid"),
        ("Bearer eyJhbGciOiJub25lIn0.e30.", "token_invalid"),
        ("Bearer mcpp_", "key_invalid"),
        ("Bearer mcpp_" + "0" * 50, "key_invalid"),
        ("Bearer mcpp_" + "é" * 50, "key_invalid"),
        ("Bearer " + "m" * 8000, "key_invalid"),
    ],
)
def test_no_wrong_and_garbled_keys_are_refused(platform: Platform, credential: str | None, code: str) -> None:
    """RFC 6750 §3: 401 and a challenge; which part of a key is wrong is nobody's business."""
    answer = send(platform, good_body(), Authorization=credential and credential.encode().decode("latin-1"))
    assert answer.status == 401
    assert answer.json()["error"]["data"]["error"] == code
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert "mcpp_0" not in answer.body.decode()


def test_a_key_with_one_wrong_character_is_refused_like_any_other(platform: Platform) -> None:
    """The same answer as for a key that never was."""
    answer = send(platform, good_body(), Authorization=f"Bearer {garbled(platform.api_key)}")
    never = send(platform, good_body(), Authorization="Bearer mcpp_" + "0" * 50)
    assert (answer.status, answer.body) == (never.status, never.body)


def test_unknown_and_forbidden_tools_look_the_same(platform: Platform) -> None:
    """What a caller may not see looks exactly like what does not exist, in both eras."""
    platform.cli("role", "create", "echoing", "--allow", "odd/echo")
    key = platform.cli("key", "create", "--principal", "narrow", "--role", "echoing")["api_key"]
    wire = Wire(platform)
    assert wire.call("echo", {"text": "x"}, key).status == 200
    forbidden, unknown = wire.call("add", {"a": 1, "b": 2}, key), wire.call("addd", {"a": 1, "b": 2}, key)
    assert error_of(forbidden) == (400, -32602, "tool_unknown")
    assert (forbidden.status, forbidden.body) == (unknown.status, unknown.body)
    session = LegacySession(wire, key)
    old_forbidden = session.request("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}})
    old_unknown = session.request("tools/call", {"name": "addd", "arguments": {"a": 1, "b": 2}})
    assert error_of(old_forbidden) == (200, -32602, "tool_unknown")
    assert old_forbidden.body == old_unknown.body
    assert platform.tools(key=key) == ["echo"]
    assert [tool["name"] for tool in session.request("tools/list", {}).json()["result"]["tools"]] == ["echo"]


def test_bad_arguments_name_the_place_and_never_the_value(platform: Platform) -> None:
    """SEP-1303: since 2025-11-25 a result with isError, before an error; what was sent is not repeated."""
    wire = Wire(platform)
    bad = {"a": "canary-value-1", "b": 2}
    answer = wire.call("add", bad)
    result = answer.json()["result"]
    assert answer.status == 200
    assert result["isError"] is True
    assert result["_meta"]["mcp-platform/error"]["error"] == "arguments_invalid"
    assert result["_meta"]["mcp-platform/error"]["problems"][0]["pointer"] == "/a"
    assert "integer" in result["content"][0]["text"]
    assert b"canary" not in answer.body
    new = LegacySession(wire, platform.api_key).request("tools/call", {"name": "add", "arguments": bad})
    assert new.json()["result"]["isError"] is True
    session = LegacySession(wire, platform.api_key, version="2025-06-18")
    old = session.request("tools/call", {"name": "add", "arguments": bad})
    assert error_of(old) == (200, -32602, "arguments_invalid")
    assert b"canary" not in old.body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, -32700, "json_invalid")),
        (b"{", (400, -32700, "json_invalid")),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', (400, -32700, "json_invalid")),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', (400, -32700, "json_duplicate_key")),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"add"}}',
         (400, -32700, "json_duplicate_key")),
        (b"[" * 10_000 + b"]" * 10_000, (400, -32700, "json_too_deep")),
        (b"[" + b"[]," * 60_000 + b"0]", (413, -32700, "json_too_complex")),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', (400, -32600, "request_invalid")),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', (400, -32600, "request_invalid")),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', (400, -32600, "request_invalid")),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}', (400, -32602, "params_invalid")),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}', (400, -32602, "params_invalid")),
    ],
    ids=lambda value: value[2] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_bodies_that_are_no_request_have_exact_answers(
    platform: Platform, body: bytes, expected: tuple[int, int, str]
) -> None:
    """JSON-RPC 2.0 §5.1 and 2026-07-28's table of statuses."""
    assert error_of(send(platform, body)) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"Mcp_Method": "tools/list"}, (400, -32020, "header_mismatch")),
        ({"Mcp_Method": None}, (400, -32020, "header_mismatch")),
        ({"Mcp_Name": "add"}, (400, -32020, "header_mismatch")),
        ({"Mcp_Name": None}, (400, -32020, "header_mismatch")),
        ({"MCP_Protocol_Version": "2030-01-01"}, (400, -32020, "header_mismatch")),
        ({"MCP_Protocol_Version": None}, (400, -32020, "header_mismatch")),
        ({"Content_Type": "text/plain"}, (415, -31415, "content_type_wrong")),
        ({"Accept": "text/html"}, (406, -31406, "accept_wrong")),
        ({"Origin": "https://evil.example"}, (403, -31422, "origin_refused")),
        ({"Origin": "null"}, (403, -31422, "origin_refused")),
        ({"Host": "evil.example"}, (403, -31421, "host_refused")),
        ({"Host": "localhost.evil.example:80"}, (403, -31421, "host_refused")),
    ],
)
def test_headers_that_disagree_have_exact_answers(
    platform: Platform, changed: dict[str, str | None], expected: tuple[int, int, str]
) -> None:
    """2026-07-28 streamable HTTP: headers and body agree; DNS rebinding is refused."""
    assert error_of(send(platform, good_body(), **changed)) == expected


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"])
def test_methods_that_are_gone_or_never_were_are_not_found(platform: Platform, method: str) -> None:
    """2026-07-28: 404 and -32601, also for what earlier revisions had."""
    assert error_of(platform.rpc(method)) == (404, -32601, "method_not_found")


def test_other_paths_and_methods_are_told_apart(platform: Platform) -> None:
    """405 names what is allowed."""
    assert platform.request("GET", "/").status == 404
    answer = platform.request("PUT", "/mcp", headers={"Authorization": f"Bearer {platform.api_key}"})
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, POST, DELETE, OPTIONS"
    assert platform.request("GET", "/healthz").status == 200
    assert platform.request("GET", "/readyz").json()["ready"] is True


def test_every_answer_carries_the_security_headers(platform: Platform) -> None:
    """Refusals included."""
    for answer in (send(platform, good_body()), send(platform, b"{"), platform.request("GET", "/nowhere")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


def test_sessions_belong_to_their_caller_and_end_everywhere(platform: Platform) -> None:
    """2025-11-25: 400 without an id, 404 for one that is over; a stolen one is worthless on every worker."""
    wires = wires_to_each_worker(platform)
    first = next(iter(wires.values()))
    session = LegacySession(first, platform.api_key)
    thief = platform.cli("key", "create", "--principal", "thief", "--role", "member")["api_key"]
    for wire in wires.values():
        assert session.request("ping", {}, wire=wire).status == 200
        stolen = wire.ask(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode(),
            {**session.headers, "Authorization": f"Bearer {thief}"},
        )
        assert (stolen.status, stolen.json()["error"]["data"]["error"]) == (404, "session_unknown")
        bare = {name: value for name, value in session.headers.items() if name != "Mcp-Session-Id"}
        missing = wire.ask(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode(), bare)
        assert (missing.status, missing.json()["error"]["data"]["error"]) == (400, "session_missing")
    assert first.ask(b"", session.headers, method="DELETE").status == 200

    def over(wire: Wire) -> bool:
        return session.request("ping", {}, wire=wire).status == 404

    platform.wait_for(lambda: all(over(wire) for wire in wires.values()), "the end of the session on every worker")


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_body_of_fifty_megabytes_is_refused_early_with_flat_memory(platform: Platform) -> None:
    """Refused by its announced length before it is read, and while it comes when none is announced."""
    workers = [pid for name, pid in platform.pids().items() if name.startswith("worker")]
    before = {pid: resident_bytes(pid) for pid in workers}
    answer = send(platform, good_body(), Content_Length=str(50_000_000))
    assert answer.status == 413
    _, headers = modern_request("tools/call", {"name": "echo"}, platform.api_key)
    wire = Wire(platform)

    def body() -> Any:
        for _ in range(800):
            yield b"x" * 65536

    connection = wire._connection
    try:
        connection.request("POST", "/mcp", body(), {**headers, "Transfer-Encoding": "chunked"}, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pytest.fail("the refusal must be readable after sending")
    for pid in workers:
        assert resident_bytes(pid) - before[pid] < 8 * 1024 * 1024
