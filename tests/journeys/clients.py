"""The clients of the journeys, each as its user starts it: official SDKs, the inspector's command line, curl."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.journeys.platform import LEGACY, MODERN
from tests.peers.environments import ROOT, environment_for_node, node, npm_bin, npm_folder, python_of

CLIENTS = ROOT / "tests" / "peers" / "clients"
TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class Client:
    """An official client as a program (see tests/peers/clients)."""

    name: str
    era: str
    """The revision that it and the platform agree on."""
    command: Callable[[], list[str]]

    def __call__(self, url: str, key: str, *steps: list[Any]) -> list[dict[str, Any]]:
        """Connect, do the steps; one outcome each, after the first, which says the era (or what refused us)."""
        line = [*self.command(), url, key]
        done = subprocess.run(
            line,
            input=json.dumps(steps),
            env={**os.environ, "PEERS_NPM": str(npm_folder())},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{line[:2]}: {done.stdout}{done.stderr}"
        outcomes: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return outcomes


OFFICIAL = [
    Client("python-1.30", LEGACY, lambda: [str(python_of("mcp1")), str(CLIENTS / "python_1.py")]),
    Client("python-2.3", MODERN, lambda: [str(python_of("mcp2")), str(CLIENTS / "python_2.py")]),
    Client("typescript-1.32", LEGACY, lambda: [str(node()), str(CLIENTS / "typescript_1.mjs")]),
    Client("typescript-2.4", MODERN, lambda: [str(node()), str(CLIENTS / "typescript_2.mjs")]),
]


def inspector(url: str, key: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`mcp-inspector --cli` on the platform."""
    line = [str(node()), str(npm_bin("mcp-inspector")), "--cli", url, "--transport", "http", *arguments]
    return run([*line, "--header", f"Authorization: Bearer {key}"])


def run(line: list[str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line,
        cwd=cwd,
        env=environment_for_node(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def curl(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """Status and JSON that curl prints for one POST."""
    line = ["curl", "-sS", "--noproxy", "*", "-w", "\n%{http_code}", "--data-binary", body.decode(), url]
    for name, value in headers.items():
        line += ["-H", f"{name}: {value}"]
    done = run(line)
    assert done.returncode == 0, done.stderr
    text, _, status = done.stdout.rpartition("\n")
    events = [part[5:] for part in text.splitlines() if part.startswith("data:")]
    return int(status), json.loads(events[-1] if events else text)
