"""The disk under a running platform stalls, in the kernel: new calls are refused, those sent have their outcomes, and
service returns by itself.

Who demands it: the issue (disk full, read-only and stalled). tests/journal has the other two, and a simulated stall.
"""

import secrets
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.wires import Wire, wires_to_each_worker
from tests.journeys.platform import Answer, Platform
from tests.journeys.stalls import Stall, frozen_device, slowed_syscalls
from tests.journeys.test_kill import SERVER

STALL_S = 1.0
HOLD = Path(__file__).with_name("holding_server.py")
CONFIG = f"[journal]\nstall_s = {STALL_S}\nreserve_bytes = 1048576\n"


@pytest.fixture(params=[frozen_device, slowed_syscalls], ids=["frozen-device", "slowed-syscalls"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stall]:
    with request.param(tmp_path) as found:
        if found is None:
            pytest.skip("this machine does not let us")
        yield found


def code_of(answer: Answer) -> str:
    """`ok`, or the code of the error."""
    message = answer.json()
    return "ok" if "result" in message else str(message["error"]["data"]["error"])


@pytest.mark.parametrize("durability", ["strict", "group", "relaxed"])
def test_a_stalled_disk_refuses_new_calls_and_loses_none_that_was_sent(
    durability: str, disk: Stall, tmp_path: Path
) -> None:
    platform = Platform.make(disk.folder, config=f'{CONFIG}durability = "{durability}"')
    log, go = tmp_path / "executed", tmp_path / "go"
    try:
        platform.start()
        platform.cli("server", "add", "echo", "--", sys.executable, str(SERVER), str(log), "20")
        platform.cli("server", "add", "hold", "--", sys.executable, str(HOLD), str(go))
        assert code_of(platform.call("echo", {"text": "before"})) == "ok"
        wires = list(wires_to_each_worker(platform).values())
        with ThreadPoolExecutor(1) as pool:
            held: Future[Answer] = pool.submit(platform.call, "hold")
            platform.wait_for(Path(f"{go}.held").exists, "the held call to be executed")
            disk.begin(platform)
            try:
                refused_while_stalled(platform, wires, log)
                go.touch()
                came_back = code_of(held.result(30))
            finally:
                go.touch()
                disk.end()
        assert came_back in ("outcome_not_recorded", "ok"), "it was executed: its client is not told otherwise"
        platform.wait_for(lambda: code_of(platform.call("echo", {"text": "after"})) == "ok", "service to return", 10)
        in_the_record(platform, log)
    finally:
        for wire in Wire.open_ones:
            wire.close()
        Wire.open_ones.clear()
        if platform.process is not None:
            platform.stop()
    report = platform.cli("audit", "verify")
    assert report["intact"], report


def refused_while_stalled(platform: Platform, wires: list[Wire], log: Path) -> None:
    """Within the bound every worker refuses new calls before they are sent; and its loop never waits."""
    began = time.monotonic()
    for wire in wires:
        while code_of(wire.call("echo", {"text": secrets.token_hex(8)})) != "journal_unavailable":
            assert time.monotonic() - began < 10 * STALL_S, "calls go on with a stalled disk"
    executed = log.read_text()
    for wire in wires * 10:
        began = time.monotonic()
        answer = wire.call("echo", {"text": "refused"})
        assert (answer.status, code_of(answer)) == (503, "journal_unavailable")
        assert time.monotonic() - began < STALL_S / 2, "a worker's loop waits for the disk"
    assert platform.request("GET", "/healthz").status == 200
    assert log.read_text() == executed, "a refused call was executed"


def in_the_record(platform: Platform, log: Path) -> None:
    """Every call that was executed has its intent and its outcome."""

    def calls() -> list[Any]:
        found: list[Any] = platform.cli("audit", "search", "kind:call", "--limit", "2000")["rows"]
        return found

    executed = len(log.read_text().split()) + 1  # and the one that was held
    platform.wait_for(lambda: [row["outcome"] for row in calls()].count("ok") >= executed, "the outcomes", 15)
    found = calls()
    assert [row["outcome"] for row in found].count("ok") == executed
    assert [row["outcome"] for row in found if row["tool"] == "hold"] == ["ok"]
    assert not [row for row in found if row["outcome"] == "open"]
