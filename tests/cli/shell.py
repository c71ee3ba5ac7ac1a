"""Runs the real command as a user's shell would: its own process, home and folder, no terminal unless asked."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("mcp-platform"))
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        answer = json.loads(self.out)
        assert isinstance(answer, dict)
        return answer


@dataclass(slots=True)
class Shell:
    """Where commands run. `data` is given to each as MCP_PLATFORM_DATA."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MCP_PLATFORM_")}
        own = {"HOME": str(self.home), "MCP_PLATFORM_DATA": str(self.data), "NO_COLOR": "1", "COLUMNS": "100"}
        return {**kept, **own, **self.extra}

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Done:
        self.home.mkdir(exist_ok=True)
        done = subprocess.run(
            [COMMAND, *arguments],
            env={**self.environment(), **variables},
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def on_terminal(self, *arguments: str) -> Done:
        """As `run`, with stdout and stderr on a terminal."""
        self.home.mkdir(exist_ok=True)
        ours, theirs = pty.openpty()
        environment = {**self.environment(), "TERM": "xterm"}
        child = subprocess.Popen(
            [COMMAND, *arguments],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:
            pass  # EIO: the last holder of the terminal is gone
        finally:
            os.close(ours)
        return Done(child.wait(TIMEOUT_S), shown.decode().replace("\r\n", "\n"), "")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
