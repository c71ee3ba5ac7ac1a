"""The clients of the table: given a URL, a key, roots and steps, each makes the steps and says what came of them."""

import json
import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.journeys.bridge import inspector
from tests.journeys.bridge.table import Step
from tests.journeys.clients import CLIENTS
from tests.peers.environments import node, npm_folder, python_of

TIMEOUT_S = 400.0
"""Seconds for all steps of a cell; each is bounded by its program."""
Outcomes = list[dict[str, Any]]


def run(
    interpreter: Callable[[], Path], program: str, url: str, key: str, roots: list[str], steps: list[Step]
) -> Outcomes:
    """Run a client's program; the first outcome says its era."""
    done = subprocess.run(
        [str(interpreter()), str(CLIENTS / program), url, key],
        input=json.dumps({"roots": roots, "steps": steps}),
        env={**os.environ, "PEERS_NPM": str(npm_folder())},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    said: Outcomes = json.loads(done.stdout.splitlines()[-1])
    assert len(said) == 1 + len(steps)
    return said


PROGRAMS: dict[str, Callable[[str, str, list[str], list[Step]], Outcomes]] = {
    "python-1.30": partial(run, partial(python_of, "mcp1"), "features_python_1.py"),
    "python-2.3": partial(run, partial(python_of, "mcp2"), "features_python_2.py"),
    "typescript-1.32": partial(run, node, "features_typescript_1.mjs"),
    "typescript-2.4": partial(run, node, "features_typescript_2.mjs"),
    "inspector-2.12": inspector.outcomes,
}
