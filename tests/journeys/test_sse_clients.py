"""Official clients over HTTP+SSE, the transport of 2024-11-05: through a platform of two workers, each several times,
so that streams and what is posted to them meet on the same worker and on different ones."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.clients import CLIENTS
from tests.journeys.platform import LEGACY, Platform, running_platform
from tests.peers.environments import node, npm_folder, python_of

pytestmark = pytest.mark.peers
SERVERS = Path(__file__).parents[1] / "peers" / "servers"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("sse-clients")) as running:
        running.cli("server", "add", "odd", "--", str(python_of("mcp1")), str(SERVERS / "eliciting_legacy.py"))
        yield running


@pytest.mark.parametrize("name", ["python-1.30", "python-2.3", "typescript-1.32"])
def test_an_official_client_does_everything_over_sse(platform: Platform, name: str) -> None:
    """Initialise, list, ping, call, be asked, hear of progress."""
    command = {
        "python-1.30": [str(python_of("mcp1")), str(CLIENTS / "sse_python.py")],
        "python-2.3": [str(python_of("mcp2")), str(CLIENTS / "sse_python.py")],
        "typescript-1.32": [str(node()), str(CLIENTS / "sse_typescript.mjs")],
    }[name]
    for _ in range(3):
        done = subprocess.run(
            [*command, platform.mcp_url.removesuffix("/mcp") + "/sse", platform.api_key],
            env={**os.environ, "PEERS_NPM": str(npm_folder())},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout.splitlines()[-1])
        assert said["version"] in (LEGACY, None)
        assert "echo" in said["tools"]
        assert said["texts"] == ["over SSE", "accept:green", "3 steps"]
        assert said["progress"] == [1, 2, 3]
