"""The stock servers speak the eras that the journeys count on."""

import http.client
import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.journeys.platform import LEGACY, MODERN, Answer, modern_request
from tests.journeys.stock_servers import legacy_http, legacy_stdio, legacy_stdio_npm, modern_http, modern_stdio

pytestmark = pytest.mark.peers

DISCOVER, HEADERS = modern_request("server/discover", {}, None)
INITIALIZE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": LEGACY,
            "capabilities": {},
            "clientInfo": {"name": "journey", "version": "1"},
        },
    }
).encode()


def over_stdio(command: list[str], message: bytes, folder: Path) -> Any:
    """The first answer of a fresh process."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(message + b"\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())
        finally:
            process.kill()


def over_http(url: str, message: bytes, headers: dict[str, str]) -> Answer:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        connection.request("POST", address.path, message, headers)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def test_the_modern_stdio_server_answers_discover_and_initialize(tmp_path: Path) -> None:
    assert over_stdio(modern_stdio(), DISCOVER, tmp_path)["result"]["supportedVersions"] == [MODERN]
    assert over_stdio(modern_stdio(), INITIALIZE, tmp_path)["result"]["protocolVersion"] == LEGACY


@pytest.mark.parametrize("server", ["sqlite", "everything"])
def test_the_legacy_stdio_servers_know_only_initialize(server: str, tmp_path: Path) -> None:
    command = legacy_stdio(tmp_path) if server == "sqlite" else legacy_stdio_npm()
    assert over_stdio(command, DISCOVER, tmp_path)["error"]["code"] in (-32601, -32602)
    assert over_stdio(command, INITIALIZE, tmp_path)["result"]["protocolVersion"] == LEGACY


def test_the_modern_http_server_answers_discover(tmp_path: Path) -> None:
    with modern_http(tmp_path / "log") as url:
        assert over_http(url, DISCOVER, HEADERS).json()["result"]["supportedVersions"] == [MODERN]


def test_the_legacy_http_server_knows_only_initialize(tmp_path: Path) -> None:
    plain = {name: HEADERS[name] for name in ("Content-Type", "Accept")}
    with legacy_http(tmp_path / "log") as url:
        refused = over_http(url, DISCOVER, HEADERS)
        assert (refused.status, refused.json()["error"]["code"]) == (400, -32000)
        started = over_http(url, INITIALIZE, plain)
        assert started.json()["result"]["protocolVersion"] == LEGACY
        assert started.headers["mcp-session-id"]
