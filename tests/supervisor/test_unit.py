"""The systemd unit is one that systemd takes, and names what the platform knows."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcp_platform.base.config.schema import all_settings
from mcp_platform.base.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging" / "systemd" / "mcp-platform.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    there = tmp_path / UNIT.name
    there.write_text(UNIT.read_text().replace("/opt/mcp-platform/bin/mcp-platform", "/usr/bin/env"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(there)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert there.name not in done.stderr


def test_the_unit_sets_only_settings_that_exist() -> None:
    named = set(re.findall(r"(MCP_PLATFORM_\w+__\w+)=", UNIT.read_text()))
    assert named
    assert named <= {setting.environment for setting in all_settings().values()}


def test_systemd_waits_longer_than_the_platform_drains() -> None:
    found = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.M)
    assert found is not None
    assert int(found[1]) > Settings().processes.drain_s + 3 * 3
