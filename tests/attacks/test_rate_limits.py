"""Limits at the public door of a real platform with four workers: exact, not to be got round, and no weapon against
others."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.flood import at_once, request
from tests.gateway.door import Door
from tests.gateway.wires import LegacySession, Wire
from tests.journeys.clients import OFFICIAL
from tests.journeys.platform import Answer, Platform, modern_request

ECHO = Path(__file__).parents[1] / "journeys" / "echo_server.py"
BAD_KEY = "mcpp_" + "0" * 50
DAY = 86_400.0
TRUSTING = 'trusted_proxies = ["127.0.0.1"]'


@dataclass
class Limited:
    """A platform whose one tool, `echo`, writes a line for each call that reached it."""

    platform: Platform
    door: Door
    calls: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_caller(self, *scopes: str) -> tuple[str, str]:
        """Name and key of a principal that has called nothing yet."""
        name = f"caller{next(self.numbers)}"
        made = self.door.ask("key.create", principal=name, roles=["member"], scopes=list(scopes) or None)
        return name, made["api_key"]

    @contextmanager
    def limit(self, name: str, count: int, **given: Any) -> Iterator[None]:
        self.door.ask("limit.set", **{"name": name, "count": count, "period_s": DAY, **given})
        try:
            yield
        finally:
            self.door.ask("limit.remove", name=name)

    def executed(self) -> int:
        return len(self.calls.read_bytes().splitlines())

    def post(self, key: str, **headers: str) -> Answer:
        body, named = modern_request("tools/list", {}, key)
        return self.platform.request("POST", "/mcp", body, {**named, **headers})


@contextmanager
def limited(folder: Path, *, workers: int = 4, gateway: str = "") -> Iterator[Limited]:
    """`gateway`: a line of the configuration's section of that name."""
    platform = Platform.make(folder, workers=workers)
    config = platform.data / "mcp-platform.toml"
    config.write_text(config.read_text().replace("[gateway]", f"[gateway]\n{gateway}"))
    try:
        platform.start()
        calls = folder / "calls"
        calls.touch()
        platform.cli("server", "add", "time", "--", sys.executable, str(ECHO), str(calls), "0")
        door = Door(platform)
        door.ask("limit.remove", name="failed-authentication")
        yield Limited(platform, door, calls)
    finally:
        if platform.process is not None:
            platform.stop()


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    """Whoever connects is the client."""
    with limited(tmp_path_factory.mktemp("direct")) as made:
        yield made


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    """Whoever connects is a trusted proxy."""
    with limited(tmp_path_factory.mktemp("proxied"), gateway=TRUSTING) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_wire_outlives_its_test() -> Iterator[None]:
    yield
    while Wire.open_ones:
        Wire.open_ones.pop().close()


async def flood(limited: Limited, key: str, connections: int, each: int) -> Counter[int]:
    """Statuses of so many calls at once."""
    port = limited.platform.ports["gateway"]
    one = request(port, *modern_request("tools/call", {"name": "echo", "arguments": {"text": "x"}}, key))
    return await at_once(port, one, connections, each)


def error_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["data"]["error"]


async def test_ten_thousand_calls_at_once_under_a_rule_of_a_thousand_a_day(direct: Limited) -> None:
    """Issue: exactly 1,000 over four workers."""
    name, key = direct.new_caller()
    before = direct.executed()
    began = time.monotonic()
    with direct.limit("daily", 1000, tool="time/echo", principal=name):
        found = await flood(direct, key, 500, 20)
        assert time.monotonic() - began < 86, "or one more comes back"
    assert found == {200: 1000, 429: 9000}
    assert direct.executed() - before == 1000


async def test_a_worker_killed_in_the_middle_changes_no_count(direct: Limited) -> None:
    name, key = direct.new_caller()
    before = direct.executed()
    with direct.limit("daily", 400, tool="time/echo", principal=name):
        flooding = asyncio.create_task(flood(direct, key, 60, 20))
        await asyncio.to_thread(direct.platform.wait_for, lambda: direct.executed() - before >= 50, "50 calls", 20)
        os.kill(direct.platform.pids()["worker-1"], signal.SIGKILL)
        found = await flooding
        assert found[0] > 0, "the killed worker took calls along"
        assert found[200] <= direct.executed() - before <= 400
        await asyncio.to_thread(direct.platform.wait_for, direct.platform.is_ready, "/readyz")
        rest = await flood(direct, key, 40, 20)
        assert set(rest) <= {200, 429}
        last = await flood(direct, key, 4, 5)
        assert last == {429: 20}, "what was used before the kill stays used"
        assert direct.executed() - before <= 400


def test_a_modern_client_is_told_so_by_status_headers_and_body(direct: Limited) -> None:
    name, key = direct.new_caller()
    with direct.limit("two", 2, principal=name):
        first = direct.platform.call("echo", {"text": "x"}, key=key)
        assert first.headers["ratelimit-policy"] == '"two";q=2;w=86400'
        assert first.headers["ratelimit"] == '"two";r=1;t=43200'
        direct.platform.call("echo", {"text": "x"}, key=key)
        refused = direct.platform.call("echo", {"text": "x"}, key=key)
    assert refused.status == 429
    error = refused.json()["error"]
    wait_ms = error["data"].pop("retryAfterMs")
    assert error == {
        "code": -31430,
        "message": "Too many requests: wait as long as Retry-After or data.retryAfterMs says, then go on.",
        "data": {"error": "rate_limited", "whose": "caller", "limit": "two"},
    }
    assert 43_100_000 < wait_ms <= 43_200_000
    assert refused.headers["retry-after"] == str(-(-wait_ms // 1000))
    assert refused.headers["ratelimit"] == f'"two";r=0;t={refused.headers["retry-after"]}'


def test_a_legacy_client_is_told_so_in_a_message_it_survives(direct: Limited) -> None:
    name, key = direct.new_caller()
    session = LegacySession(Wire(direct.platform), key)
    with direct.limit("none", 1, principal=name, tool="time/echo"):
        call = {"name": "echo", "arguments": {"text": "x"}}
        assert session.request("tools/call", call).json()["result"]["content"]
        refused = session.request("tools/call", call, identity=7)
        assert refused.status == 200
        assert refused.json()["id"] == 7
        assert refused.json()["error"]["code"] == -31430
        assert refused.json()["error"]["data"]["retryAfterMs"] > 86_000_000
        assert session.request("tools/list", {}).json()["result"]["tools"]


@pytest.mark.peers
@pytest.mark.parametrize("client", OFFICIAL, ids=lambda client: client.name)
def test_official_clients_survive_a_refusal(direct: Limited, client: Any) -> None:
    """The Python client 1.x dies on HTTP 429 to tools/call: it must never get one."""
    name, key = direct.new_caller()
    call = ["call", "echo", {"text": "x"}]
    with direct.limit("two", 2, principal=name, tool="*/echo"):
        outcomes = client(direct.platform.mcp_url, key, call, call, call, ["list"])
    assert [outcome.get("text") for outcome in outcomes[1:3]] == [["x"], ["x"]]
    assert "two" in json.dumps(outcomes[3]) or "429" in json.dumps(outcomes[3])
    if client.name.startswith("python-1"):
        assert outcomes[3]["error"]["code"] == -31430
        assert outcomes[3]["error"]["data"]["retryAfterMs"] > 0
        assert outcomes[4]["tools"] == ["echo"]


def test_no_spelling_of_a_path_is_a_counter_of_its_own(direct: Limited) -> None:
    variants = ["/MCP", "/mcp/", "/%6dcp", "/mcp;x", "/Mcp", "/mcp%2e", "/mcp/X", "/x", "/mcp%3fx", "/mcp,"]
    with direct.limit("elsewhere", 5, by="address", endpoint="other"):
        statuses = [direct.platform.request("POST", path, b"{}").status for path in variants]
    assert statuses == [404] * 5 + [429] * 5


def test_no_name_of_a_virtual_server_is_a_counter_of_its_own(direct: Limited) -> None:
    """There or not: whoever guesses keys at one is kept from all, at `/mcp` and at the endpoints of HTTP+SSE too."""
    body, headers = modern_request("tools/list", {}, BAD_KEY)
    paths = ["/mcp/a", "/mcp/b", "/messages", "/messages/c", "/mcp", "/mcp/d"]
    with direct.limit("guesses", 4, by="address", endpoint="/mcp"):
        headers = {name: value for name, value in headers.items() if not name.lower().startswith("mcp-protocol")}
        statuses = [direct.platform.request("POST", path, body, headers).status for path in paths]
    assert statuses == [401] * 4 + [429] * 2


def test_no_spelling_of_a_method_or_a_tool_is_a_counter_of_its_own(direct: Limited) -> None:
    name, key = direct.new_caller()
    with direct.limit("every", 6, principal=name), direct.limit("calls", 1, endpoint="tools/call", principal=name):
        spelled = ["TOOLS/CALL", "tools/call/", "tools%2Fcall", " tools/call"]
        answers = [direct.platform.rpc(method, {"name": "echo"}, key=key) for method in spelled]
        assert {answer.status for answer in answers} <= {400, 404}, "none of them calls anything"
        assert direct.platform.call("echo", {"text": "x"}, key=key).status == 200
        assert error_of(direct.platform.call("echo", {"text": "x"}, key=key)) == (429, "rate_limited")
        assert error_of(direct.platform.call("Echo", {"text": "x"}, key=key)) == (429, "rate_limited")
        assert direct.platform.rpc("tools/list", key=key).status == 200
        assert error_of(direct.platform.rpc("tools/list", key=key)) == (429, "rate_limited")


def test_a_forged_address_is_nobody(direct: Limited) -> None:
    """No proxy is trusted by default: no header makes a new client of an old one."""
    with direct.limit("failed", 3, by="address", endpoint="/mcp"):
        forged = [
            direct.post(BAD_KEY, **{header: f"203.0.113.{number}"}).status
            for number, header in enumerate(["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-For", "Via"])
        ]
    assert forged == [401, 401, 401, 429, 429]


def test_whoever_fails_behind_an_address_locks_nobody_out(direct: Limited) -> None:
    """A shared NAT: failures stand in no good key's way, and good keys give failures no room."""
    _, key = direct.new_caller()
    with direct.limit("nat", 3, by="address", endpoint="/mcp"):
        assert [direct.post(BAD_KEY).status for _ in range(5)] == [401] * 3 + [429] * 2
        missing = direct.platform.request("POST", "/mcp", b"{}", {"Content-Type": "application/json"})
        assert error_of(missing) == (429, "address_limited")
        assert missing.headers["retry-after"]
        assert [direct.post(key).status for _ in range(20)] == [200] * 20
        assert error_of(direct.post(BAD_KEY)) == (429, "address_limited")


def test_tokens_that_no_signature_could_save_are_counted_by_address(direct: Limited) -> None:
    """What can be known without cryptography is; a signature that has to be verified waits (test_token_flood.py)."""
    with direct.limit("tokens", 2, by="address", endpoint="/mcp"):
        tokens = [direct.post("e30.e30." + "A" * 86).status for _ in range(4)]
    assert tokens == [401, 401, 429, 429]


def test_a_victims_own_limit_is_not_spent_by_others(direct: Limited) -> None:
    _, victim = direct.new_caller()
    _, loud = direct.new_caller()
    with direct.limit("each", 5, endpoint="tools/list"):
        assert [direct.post(loud).status for _ in range(7)] == [200] * 5 + [429] * 2
        answers = [direct.post(victim) for _ in range(3)]
        assert [answer.status for answer in answers] == [200] * 3
        assert "ratelimit" not in answers[0].headers, "it is told of its own counter alone, once half is used"
        assert '"each";r=2;' in answers[2].headers["ratelimit"]


def test_a_limit_of_what_is_forbidden_is_neither_spent_nor_seen(direct: Limited) -> None:
    """What a caller may not see looks exactly like what does not exist, at its limit too."""
    _, outsider = direct.new_caller("other/*")
    _, insider = direct.new_caller()
    with direct.limit("shared", 2, by="everyone", tool="time/echo"):
        for _ in range(5):
            assert error_of(direct.platform.call("echo", {"text": "x"}, key=outsider)) == (400, "tool_unknown")
        answers = [direct.platform.call("echo", {"text": "x"}, key=insider) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert all("shared" not in answer.headers.get("ratelimit", "") for answer in answers), "others share it"
        forbidden = direct.platform.call("echo", {"text": "x"}, key=outsider)
        unknown = direct.platform.call("nothing", {"text": "x"}, key=outsider)
        assert (forbidden.status, forbidden.body) == (unknown.status, unknown.body)


def test_a_shadow_refuses_nothing_and_is_in_the_log(direct: Limited) -> None:
    name, key = direct.new_caller()
    with direct.limit("trial", 1, principal=name, shadow=True):
        answers = [direct.post(key) for _ in range(4)]
        assert [answer.status for answer in answers] == [200] * 4
        assert all("trial" not in answer.headers.get("ratelimit-policy", "") for answer in answers)
        direct.platform.wait_for(lambda: '"limit_would_refuse", "rule": "trial"' in direct.platform.log(), "the line")


def test_a_trusted_proxy_names_the_client(proxied: Limited) -> None:
    def failed(address: str) -> int:
        return proxied.post(BAD_KEY, **{"X-Forwarded-For": address}).status

    with proxied.limit("failed", 2, by="address", endpoint="/mcp"):
        assert [failed("192.0.2.1") for _ in range(3)] == [401, 401, 429]
        assert failed("192.0.2.2") == 401, "another client has another counter"
        assert failed("203.0.113.5, 192.0.2.1") == 429, "what the client wrote itself stands further left"
        assert failed("::ffff:192.0.2.1") == 429
        assert [failed(f"2001:db8:1:2::{number:x}") for number in range(4)] == [401, 401, 429, 429]
        assert failed("2001:db8:1:3::1") == 401
        assert [failed(garbage) for garbage in ("garbage", "1.2.3.4.5", "unknown")] == [401, 401, 429]
        _, key = proxied.new_caller()
        assert proxied.post(key, **{"X-Forwarded-For": "192.0.2.1"}).status == 200


def test_refusals_before_a_body_is_read_are_recorded_with_the_clients_address(proxied: Limited) -> None:
    platform = proxied.platform
    large = {"Content-Type": "application/json", "Accept": "*/*", "Authorization": f"Bearer {platform.api_key}"}
    asked: dict[str, tuple[str, str, bytes, dict[str, str]]] = {
        "credential_missing": ("POST", "/mcp", b"{}", {}),
        "path_unknown": ("GET", "/nothing", b"", {}),
        "host_refused": ("POST", "/mcp", b"{}", {"Host": "elsewhere.example"}),
        "http_body_too_large": ("POST", "/mcp", b" " * 5_000_000, large),
    }
    clients = {code: f"192.0.2.{number}" for number, code in enumerate(asked, 50)}
    for code, (method, path, body, headers) in asked.items():
        with contextlib.suppress(ConnectionError):
            platform.request(method, path, body, {**headers, "X-Forwarded-For": clients[code]})

    def recorded() -> dict[object, object]:
        rows = platform.cli("audit", "search", "kind:refusal", "--limit", "100")["rows"]
        return {row["error"]: row["address"] for row in rows if row["error"] in clients and row["address"] is not None}

    platform.wait_for(lambda: len(recorded()) == len(asked), "every refusal in the index", 15)
    assert recorded() == clients


def test_a_daily_limit_outlives_the_platform(tmp_path: Path) -> None:
    """Over an orderly restart nothing is lost; over a kill -9 of everything, what was counted in the last seconds."""
    with limited(tmp_path, workers=2) as made:
        platform = made.platform
        made.door.ask("limit.set", name="daily", count=4, period_s=DAY)
        assert [made.post(platform.api_key).status for _ in range(2)] == [200] * 2
        platform.stop()
        assert platform.start().call("echo", {"text": "x"}).status == 200
        kept = platform.data / "limits"
        before = kept.stat().st_mtime_ns
        platform.wait_for(lambda: kept.stat().st_mtime_ns != before, "DATA/limits", 15)
        platform.stop(signal.SIGKILL)
        platform.start()
        assert [platform.call("echo", {"text": "x"}).status for _ in range(2)] == [200, 429]


def test_a_flood_of_refusals_writes_a_trickle(direct: Limited) -> None:
    name, key = direct.new_caller()
    with direct.limit("one", 1, principal=name):
        threads = [threading.Thread(target=lambda: [direct.post(key) for _ in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        direct.platform.wait_for(lambda: '"rule": "one"' in direct.platform.log(), "the line")
    lines = [json.loads(line) for line in direct.platform.log().splitlines() if '"rule": "one"' in line]
    assert len(lines) < 40
