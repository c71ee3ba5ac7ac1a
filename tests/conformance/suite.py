"""Runs the official conformance suite as its users do, and reads what it found.

The suite is asked for one revision at a time. What counts is its checks.json, never its exit status: it counts a
check that could not be made as passed.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.peers.environments import ROOT, environment_for_node, node, npm_folder

HERE = Path(__file__).parent
TIME = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")
DRIVER = f"{sys.executable} -m tests.conformance.client"
TIMEOUT_S = 300.0
"""Seconds one run may take; the longest took 8 on an idle machine."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one scenario found."""

    name: str
    checks: tuple[dict[str, Any], ...]

    @property
    def outcome(self) -> str:
        """`pass`, `warning` (a SHOULD was missed), `failure`, or `unchecked`: the suite saw nothing that it judges."""
        statuses = {check["status"] for check in self.checks}
        if "FAILURE" in statuses or not self.checks:
            return "failure"
        if not statuses & {"SUCCESS", "WARNING"}:
            return "unchecked"
        return "warning" if statuses & {"WARNING", "SKIPPED"} or self.could_not_check else "pass"

    @property
    def could_not_check(self) -> list[str]:
        """Checks that passed or were left out though the suite saw nothing to check."""
        return [check["id"] for check in self.checks if (check.get("details") or {}).get("untestable")]

    @property
    def passed(self) -> int:
        return sum(check["status"] == "SUCCESS" for check in self.checks)

    def complaints(self) -> list[str]:
        return [
            f"{check['id']}: {check['status']} {check.get('errorMessage') or check.get('details')}"
            for check in self.checks
            if check["status"] not in ("SUCCESS", "INFO")
        ]


def run_server_suite(
    package: str, url: str, folder: Path, *, key: str = "", revision: str | None = None, scenarios: Sequence[str] = ()
) -> dict[str, Scenario]:
    """Every scenario (or the named ones) of `revision` against the server at `url`."""
    found: dict[str, Scenario] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name in scenarios or [None]:
        out = folder / (name or "all")
        line = [*command(package), "server", "--url", url, "-o", str(out)]
        line += ["--scenario", name] if name else ["--suite", "all"]
        line += ["--spec-version", revision] if revision else []
        told = subprocess.run(
            line,
            env=environment(url, key),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        results = read(out)
        assert results, f"the suite found nothing:\n{told.stdout[-4000:]}{told.stderr[-4000:]}"
        found |= results
    return found


def run_client_scenario(
    package: str, name: str, revision: str, era: str, folder: Path, driver: str = DRIVER
) -> Scenario:
    """One scenario for clients of `revision`, with the platform as the client (see client.py) and an end client of
    `era` before it."""
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "seen.json"
    line = [*command(package), "client", "--command", driver, "--scenario", name, "--spec-version", revision]
    told = subprocess.run(
        [*line, "-o", str(folder), "--timeout", str(int(TIMEOUT_S * 1000))],
        env={**environment("http://127.0.0.1", ""), "CLIENT_ERA": era, "CLIENT_REPORT": str(report)},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert report.exists(), f"the end client did not see what it should:\n{told.stdout[-6000:]}{told.stderr[-4000:]}"
    (found,) = read(folder).values()
    return found


def client_scenarios(package: str) -> dict[str, list[str]]:
    """Every scenario for clients that the suite knows, and its revisions (or `extension`)."""
    line = [*command(package), "list", "--client"]
    told = subprocess.run(
        line, env=environment("http://127.0.0.1", ""), capture_output=True, text=True, timeout=60.0, check=True
    )
    return {name: of.split(",") for name, of in re.findall(r"^ +- (\S+) \[([^]]+)\]$", told.stdout, re.MULTILINE)}


def command(package: str) -> list[str]:
    """`package` is a name in tests/peers/conformance/package.json."""
    script = npm_folder("conformance") / "node_modules" / package / "dist" / "index.js"
    return [str(node()), "--import", str(HERE / "preload.mjs"), str(script)]


def environment(url: str, key: str) -> dict[str, str]:
    address = urlsplit(url)
    return {
        **environment_for_node(),
        "CONFORMANCE_ORIGIN": f"{address.scheme}://{address.netloc}",
        "CONFORMANCE_KEY": key,
        "NO_PROXY": os.environ.get("NO_PROXY", "127.0.0.1"),
    }


def read(folder: Path) -> dict[str, Scenario]:
    """Scenarios by name, from the folders that the suite writes: the name (after `server-`, for a server), the time."""
    found = {}
    for path in sorted(folder.rglob("checks.json")):
        name = TIME.sub("", path.parent.name).removeprefix("server-")
        found[name] = Scenario(name, tuple(json.loads(path.read_text())))
    return found
