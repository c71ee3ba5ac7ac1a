"""What the processes of a real platform carry, and how it ends under load."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_platform.base.folder import DataFolder
from mcp_platform.features.vault.keys import KeyRing
from tests.journeys.callers import Callers
from tests.journeys.platform import Platform, running_platform
from tests.journeys.test_kill import SERVER

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of others")


@pytest.fixture(scope="module")
def first_started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that `serve` itself has made."""
    folder = tmp_path_factory.mktemp("first")
    platform = Platform(folder / "data", folder / "home")
    platform.home.mkdir()
    try:
        yield platform.start("--port", "0", "--console-port", "0")
    finally:
        if platform.process is not None:
            platform.stop()


def processes(platform: Platform) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((platform.data / "run" / "processes.json").read_text())["processes"]
    return found


def has_in_memory(pid: int, wanted: bytes) -> bool:
    """Whether the writable memory of a process holds these bytes."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if rights.startswith("rw") and "[vvar" not in line:
                begin, end = (int(part, 16) for part in span.split("-"))
                memory.seek(begin)
                if wanted in memory.read(end - begin):
                    return True
    return False


@ROOT_ONLY
def test_no_process_but_control_carries_sql_or_a_key_of_controls(first_started: Platform) -> None:
    """Also where `serve` has just made all keys itself: what a worker holds, whoever takes it over has."""
    platform = first_started
    secrets = (platform.data / "first-run-secrets.txt").read_text()
    api_key = next(word for word in secrets.split() if word.startswith("mcpp_")).encode()
    (kek,) = (platform.home / ".config" / "mcp-platform").glob("*.kek")
    ring = KeyRing.open(DataFolder(platform.data), str(kek))
    for pid in [platform.pid, *(row["pid"] for row in processes(platform) if row["role"] != "control")]:
        assert "sqlalchemy" not in Path(f"/proc/{pid}/maps").read_text()
        assert not has_in_memory(pid, api_key)
        assert not has_in_memory(pid, ring.data_key)
        assert not has_in_memory(pid, kek.read_bytes())
        assert not has_in_memory(pid, ring.snapshot_private.private_bytes_raw())


@ROOT_ONLY
def test_only_workers_and_the_supervisor_hold_what_workers_need(first_started: Platform) -> None:
    (kek,) = (first_started.home / ".config" / "mcp-platform").glob("*.kek")
    secret = KeyRing.open(DataFolder(first_started.data), str(kek)).worker_secret
    holders = {row["role"] for row in processes(first_started) if has_in_memory(row["pid"], secret[:32])}
    assert "worker" in holders
    assert "upstream-host" not in holders


def test_a_platform_that_ends_under_load_answers_every_call_that_it_took(tmp_path: Path) -> None:
    log = tmp_path / "executed"
    with running_platform(tmp_path) as platform:
        platform.cli("server", "add", "echo", "--", "/usr/bin/env", "python3", str(SERVER), str(log), "600.5")
        callers = Callers(4, platform.ports["gateway"], platform.api_key).begin()
        try:
            began = time.monotonic()
            platform.wait_for(lambda: callers.all_called_since(began), "every caller's first call", 10)
            assert platform.stop(signal.SIGTERM) == 0
        finally:
            callers.end()
    assert set(log.read_text().split()) <= callers.tally.answered
