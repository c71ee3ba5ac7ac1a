"""A server whose certificate comes from a private authority: refused, then added with that authority, and called."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.attacks.certificates import Authority
from tests.journeys.platform import Platform

TOOL = {"name": "greet", "description": "Greets.", "inputSchema": {"type": "object"}}
RESULTS = {
    "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {}, "resultType": "complete"},
    "tools/list": {"tools": [TOOL], "resultType": "complete"},
    "tools/call": {"content": [{"type": "text", "text": "hello"}], "resultType": "complete"},
}


class Handler(BaseHTTPRequestHandler):
    """A modern MCP server with one tool."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = {"jsonrpc": "2.0", "id": message["id"], "result": RESULTS[message["method"]]}
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # one that is kept would answer on when the server is gone
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # the standard library's name
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Refused handshakes are what the test is about."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@contextmanager
def private(authority: Authority) -> Iterator[str]:
    """A running server; its URL."""
    with Server(("127.0.0.1", 0), Handler) as server:
        context = authority.issue().context()
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}/mcp"
        finally:
            server.shutdown()
            thread.join()


def test_a_server_of_a_private_authority_is_added_with_it_and_called(platform: Platform, tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_text(authority.pem)
    (tmp_path / "other.pem").write_text(Authority().pem)
    with private(authority) as url:
        for arguments in ((), ("--ca-file", str(tmp_path / "other.pem"))):
            refused = platform.cli("server", "add", "private", url, *arguments, status=1)
            address = url.split("/")[2]
            assert refused["error"]["data"] == {"stage": "tls", "reason": "unknown_authority", "address": address}
        added = platform.cli("server", "add", "private", url, "--ca-file", str(tmp_path / "ca.pem"))
        assert added["tool_count"] == 1
        assert platform.call("greet").json()["result"]["content"][0]["text"] == "hello"
        report = platform.cli("doctor")
        assert [f["level"] for f in report["findings"] if f["check"] == "upstream.private"] == ["ok"]
    told = platform.call("greet").json()["error"]
    assert told["data"] == {"error": "upstream_down", "whose": "upstream"}, "where a server is, is no agent's business"
    assert address not in told["message"]
    tested = platform.cli("server", "test", "private", status=1)["error"]
    assert tested["data"] == {"stage": "connect", "reason": "ECONNREFUSED", "address": address}
    assert tested["text"] == f"Nothing answers at {address}: Connection refused."
    logged = f'"upstream_unreachable", "stage": "connect", "reason": "ECONNREFUSED", "address": "{address}"'
    platform.wait_for(lambda: logged in platform.log(), "a line for the operator")


def test_certificates_for_what_is_no_https_are_refused(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(Authority().pem)
    for target in (("http://127.0.0.1:1/mcp",), ("--", "true")):
        done = platform.run("server", "add", "odd", "--ca-file", str(tmp_path / "ca.pem"), *target)
        assert done.returncode == 2, done.stderr
