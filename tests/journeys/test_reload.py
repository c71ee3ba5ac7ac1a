"""SIGHUP on a real platform under load: new settings hold, nobody is refused, stdio servers live on."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.journeys.callers import Callers
from tests.journeys.platform import Platform, running_platform
from tests.journeys.processes import process_table
from tests.journeys.test_kill import SERVER

MOST_BROKEN = 8
"""Four callers, two workers replaced: each time a kept-alive connection may be closed while a request is on its way."""


def pids(platform: Platform) -> dict[str, int]:
    rows = json.loads((platform.data / "run" / "processes.json").read_text())["processes"]
    return {f"{row['role']}-{row['slot']}": row["pid"] for row in rows}


def servers(log: Path) -> set[int]:
    return {pid for pid, (_, process) in process_table().items() if str(log) in process.line}


@pytest.mark.alone
def test_a_reload_takes_new_settings_and_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    log = tmp_path / "executed"
    with running_platform(tmp_path) as platform:
        platform.cli("server", "add", "echo", "--", "/usr/bin/env", "python3", str(SERVER), str(log), "600.6")
        callers = Callers(4, platform.ports["gateway"], platform.api_key).begin()
        try:
            reload_under_load(platform, callers, log)
        finally:
            callers.end()
    assert set(callers.tally.outcomes) <= {"ok", "broken"}, callers.tally.outcomes
    assert callers.tally.outcomes["broken"] <= MOST_BROKEN
    assert callers.tally.wrong == []


def reload_under_load(platform: Platform, callers: Callers, log: Path) -> None:
    began = time.monotonic()
    platform.wait_for(lambda: callers.all_called_since(began), "every caller's first call", 10)
    before, stdio = pids(platform), servers(log)
    config = platform.data / "mcp-platform.toml"
    assert platform.request("GET", "/readyz", headers={"Host": "mcp.example.com"}).status == 403
    text = config.read_text()
    config.write_text(text + '\n[calls]\nparked_ttl_s = "soon"\n')
    os.kill(platform.pid, signal.SIGHUP)
    platform.wait_for(lambda: "reload_refused" in platform.log(), "the refusal")
    assert pids(platform) == before
    head, _, tail = text.partition("[gateway]\n")
    config.write_text(f'{head}[gateway]\nallowed_hosts = ["mcp.example.com"]\n{tail}')
    os.kill(platform.pid, signal.SIGHUP)
    platform.wait_for(lambda: '"event": "reloaded"' in platform.log(), "the reload to end", 30)
    for _ in range(8):
        assert platform.request("GET", "/readyz", headers={"Host": "mcp.example.com"}).status == 200
    after = pids(platform)
    assert {name for name in before if after[name] == before[name]} == {"upstream-host-None"}
    assert servers(log) == stdio
    began = time.monotonic()
    platform.wait_for(lambda: callers.all_called_since(began), "every caller to go on", 10)
