"""`./dev run` beside one that runs already."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from development.first_run import main

ROOT = Path(__file__).resolve().parents[1]


def test_a_second_run_says_where_the_first_is_and_touches_nothing(tmp_path: Path) -> None:
    ports = tmp_path / "data" / "run" / "ports.json"
    ports.parent.mkdir(parents=True)
    ports.write_text('{"gateway": 8090, "gateway_addresses": ["127.0.0.1"]}')
    log = tmp_path / "data.log"
    log.write_text("what the first one said\n")
    with (tmp_path / "data" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [sys.executable, "-m", "development.first_run"],
            env={**os.environ, "MCP_PLATFORM_DATA": str(tmp_path / "data")},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "dev run: already running at http://127.0.0.1:8090; stop that one first.\n"
    assert ports.exists()
    assert log.read_text() == "what the first one said\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "data.log"]


def test_options_that_it_cannot_take_are_refused_before_anything_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "/nowhere"]) == 2
    assert "MCP_PLATFORM_DATA" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "usage: ./dev run" in capsys.readouterr().out
