"""Upstreams that fail: each call gets one clear error of its kind, and the next one works."""

import time

import pytest

from tests.gateway.conftest import SERVERS
from tests.gateway.test_refusals import resident_bytes
from tests.gateway.wires import LegacySession, Wire
from tests.journeys.platform import Platform, running_platform
from tests.peers.environments import python_of

pytestmark = pytest.mark.peers


def error_of(wire: Wire, tool: str) -> tuple[int, str]:
    answer = wire.call(tool)
    return answer.status, answer.json()["error"]["data"]["error"]


def wait_until_it_is_back(platform: Platform, wire: Wire) -> None:
    """A server that died quickly and often is started again with back-off."""
    platform.wait_for(lambda: wire.call("echo", {"text": "?"}).status == 200, "the server's return", 40)


def test_a_server_that_crashes_mid_call_is_lost_and_comes_back(platform: Platform) -> None:
    """The call in flight is told that it may have happened; the next one starts the server again."""
    wire = Wire(platform)
    assert error_of(wire, "crash") == (502, "upstream_lost")
    assert wire.call("echo", {"text": "back"}).json()["result"]["content"][0]["text"] == "back"
    session = LegacySession(wire, platform.api_key)
    answer = session.request("tools/call", {"name": "crash", "arguments": {}})
    assert (answer.status, answer.json()["error"]["data"]["error"]) == (200, "upstream_lost")


def test_garbage_is_told_from_an_answer(platform: Platform) -> None:
    """What is no message never reaches a client."""
    wire = Wire(platform)
    wait_until_it_is_back(platform, wire)
    answer = wire.call("garbage")
    assert answer.status in (502, 504)
    assert answer.json()["error"]["data"]["error"] in ("upstream_garbage", "upstream_lost", "upstream_timeout")
    wait_until_it_is_back(platform, wire)


def test_a_hundred_megabytes_are_refused_with_flat_memory(platform: Platform) -> None:
    """The ceiling on one answer holds, in the worker and in the upstream-host."""
    wire = Wire(platform, timeout_s=90)
    wait_until_it_is_back(platform, wire)
    watched = [pid for name, pid in platform.pids().items() if name != "control"]
    before = {pid: resident_bytes(pid) for pid in watched}
    assert error_of(wire, "huge") == (502, "upstream_too_large")
    for pid in watched:
        assert resident_bytes(pid) - before[pid] < 96 * 1024 * 1024
    wait_until_it_is_back(platform, wire)


def test_a_server_that_hangs_is_given_up_in_time_and_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    """upstream_timeout at the call's own bound; other calls go on; the server hears of the cancellation."""
    config = "[upstreams]\ncall_timeout_s = 1.0\n"
    with running_platform(tmp_path_factory.mktemp("hang"), config=config) as platform:
        platform.cli("server", "add", "odd", "--", str(python_of("mcp1")), str(SERVERS / "eliciting_legacy.py"))
        wire, other = Wire(platform), Wire(platform)
        began = time.monotonic()
        assert error_of(wire, "hang") == (504, "upstream_timeout")
        assert time.monotonic() - began < 10
        assert other.call("cancellations").json()["result"]["content"][0]["text"] == "1"


def test_a_server_that_cannot_be_reached_is_named_when_it_is_added(platform: Platform) -> None:
    """Nothing half done: the server is not there afterwards."""
    refused = platform.cli("server", "add", "nowhere", "http://127.0.0.1:1/mcp", status=1)["error"]
    assert refused["code"] == "upstream_down"
    assert refused["data"] == {"stage": "connect", "reason": "ECONNREFUSED", "address": "127.0.0.1:1"}
    unknown = platform.cli("server", "add", "nowhere", "http://no-such-host.invalid/mcp", status=1)["error"]
    assert unknown["data"] == {"stage": "resolve", "reason": unknown["data"]["reason"], "host": "no-such-host.invalid"}
    assert unknown["data"]["reason"].startswith("EAI_")
    assert "nowhere" not in [server["name"] for server in platform.cli("server", "list")["servers"]]
