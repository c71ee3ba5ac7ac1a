"""A stranger clones the repository, types one command, and all that is printed and written works as it stands."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.marked_commands import Step, steps_of
from tests.journeys.processes import descendants
from tests.journeys.stock_servers import free_port
from tests.peers.environments import ROOT

pytestmark = pytest.mark.peers

START_TIMEOUT_S = 180.0
"""Seconds for set-up, downloads and start; about ten where the packages are in a cache."""
DEBIAN_PYTHON = Path("/usr/bin/python3")


@dataclass(slots=True)
class Clone:
    """A clean clone, and what its user's shell knows."""

    folder: Path
    home: Path
    port: int
    console_port: int
    output: Path
    process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """Little more than a login shell has; the caches of the machine are used, so as not to fetch all again."""
        kept = {
            name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ
        }
        npm_certificates = os.environ.get("NODE_EXTRA_CA_CERTS")
        return {
            **kept,
            **({"NODE_EXTRA_CA_CERTS": npm_certificates} if npm_certificates else {}),
            "HOME": str(self.home),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
            "npm_config_cache": str(Path.home() / ".npm"),
            "MCP_PLATFORM_GATEWAY__PORT": str(self.port),
            "MCP_PLATFORM_CONSOLE__PORT": str(self.console_port),
        }

    def start(self) -> str:
        """`./dev run`; what it printed until it said that it runs."""
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                ["./dev", "run"],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + START_TIMEOUT_S
        while "Ctrl-C stops it" not in self.output.read_text():
            ended = self.process.poll() is not None
            assert not ended, self.output.read_text()
            assert time.monotonic() < until, self.output.read_text()
            time.sleep(0.05)
        return self.output.read_text()

    def stop(self) -> int:
        """Ctrl-C, as a terminal sends it: to every process of the group."""
        assert self.process is not None, "start it first"
        process, self.process = self.process, None
        family = descendants(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        try:
            status = process.wait(60)
            left = [each.line for each in family if each.is_alive()]
        finally:
            process.kill()
            process.wait()
            for each in family:
                each.kill()
        assert left == [], "Ctrl-C left processes behind"
        return status

    def shell(self, text: str) -> str:
        """Paste text into a shell in the clone; what it printed."""
        done = subprocess.run(
            ["bash", "-eu", "-c", text],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """What is committed or about to be, in a folder with a space in its name, set up and running."""
    base = tmp_path_factory.mktemp("stranger")
    folder = base / "a clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (base / "home").mkdir()
    made = Clone(folder, base / "home", free_port(), free_port(), base / "output")
    try:
        made.start()
        yield made
    finally:
        if made.process is not None:
            made.stop()


def blocks(printed: str) -> dict[str, str]:
    """The blocks of shell that were printed, by the comment above each."""
    parts = re.split(r"^# (.+)$", printed.split("\nRunning.")[0], flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_printed_line_works_as_it_stands(clone: Clone) -> None:
    printed = blocks(clone.output.read_text())
    assert set(printed) == {"curl", "MCP inspector", "Claude Code", "Python"}
    for name in ("curl", "Python"):
        assert "Asia/Tokyo" in clone.shell(printed[name]), name


@pytest.mark.long
def test_the_printed_inspector_line_works_as_it_stands(clone: Clone) -> None:
    """Long: npx fetches the inspector."""
    assert "Asia/Tokyo" in clone.shell(blocks(clone.output.read_text())["MCP inspector"])


def test_the_printed_line_for_claude_code_has_the_words_that_it_takes(clone: Clone) -> None:
    """A stand-in named `claude` shows its arguments as the shell hands them over."""
    line = blocks(clone.output.read_text())["Claude Code"]
    shown = clone.shell(f"claude() {{ printf '%s\\n' \"$@\"; }}\n{line}").splitlines()
    key = (clone.folder / ".run" / "data.key").read_text().strip()
    url = f"http://127.0.0.1:{clone.port}/mcp"
    assert shown == [
        "mcp",
        "add",
        "--transport",
        "http",
        "mcp-platform",
        url,
        "--header",
        f"Authorization: Bearer {key}",
    ]


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial/first-run.md"])
def test_every_command_of_the_page_does_what_the_page_says(clone: Clone, name: str) -> None:
    steps = steps_of(clone.folder / name)
    assert [step.text for step in steps if step.background] == ["./dev run\n"], "the fixture runs it"
    in_order = [step for step in steps if not step.background]
    printed = clone.shell("\n".join(with_marker(step, number, clone) for number, step in enumerate(in_order)))
    pieces = re.split(r"^=== \d+$", printed, flags=re.M)[1:]
    for step, piece in zip(in_order, pieces, strict=True):
        assert step.shows is None or step.shows in piece, f"{step.text}\n{piece}"


def with_marker(step: Step, number: int, clone: Clone) -> str:
    return f"echo '=== {number}'\n" + step.text.replace(":8080/", f":{clone.port}/")


def test_a_second_run_on_the_same_folder_prints_lines_that_work(clone: Clone) -> None:
    assert clone.stop() == 0
    printed = blocks(clone.start())
    assert "Asia/Tokyo" in clone.shell(printed["curl"])


def test_the_key_is_for_its_owner_alone_and_is_not_printed(clone: Clone) -> None:
    key_file = clone.folder / ".run" / "data.key"
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert key_file.read_text().strip() not in clone.output.read_text()


@pytest.mark.skipif(not DEBIAN_PYTHON.exists() or sys.platform != "linux", reason="no Python of the system here")
def test_setup_needs_nothing_but_the_systems_python_and_pip(clone: Clone, tmp_path: Path) -> None:
    """An empty environment, another working directory, a path with spaces; the second call does nothing."""
    folder = tmp_path / "another clone"
    shutil.copytree(clone.folder, folder, ignore=shutil.ignore_patterns(".venv", ".tools", ".run", "__pycache__"))
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "UV_CACHE_DIR": clone.environment()["UV_CACHE_DIR"]}
    line = ["sh", str(folder / "dev"), "setup"]
    probe = [str(DEBIAN_PYTHON), "-m", "pip", "--version"]
    if subprocess.run(probe, capture_output=True, check=False, env=environment).returncode:
        pytest.skip("the system's Python has no pip here")
    done = subprocess.run(line, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    said = subprocess.run(
        [str(folder / ".venv/bin/mcp-platform"), "--version"], capture_output=True, text=True, check=True
    )
    assert "mcp-platform" in said.stdout
    began = time.monotonic()
    subprocess.run(line, env=environment, cwd="/", check=True, timeout=60)
    assert time.monotonic() - began < 2.0
