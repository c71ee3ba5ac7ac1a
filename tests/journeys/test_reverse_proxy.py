"""The nginx configuration of the how-to page does what the page says, word for word but for ports and files."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.journeys import stock_servers as stock
from tests.journeys.platform import Platform, modern_request
from tests.peers.environments import ROOT

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not on this machine"),
]

PAGE = ROOT / "docs" / "how-to" / "run-behind-a-reverse-proxy.md"
NAME = "mcp.example.com"
AROUND = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
{server}
}}
"""


def configuration(folder: Path, port: int, platform: Platform) -> str:
    """The block of the page, with this test's ports and certificate."""
    (server,) = re.findall(r"^```nginx\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    for written, here in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "http://127.0.0.1:8080": f"http://127.0.0.1:{platform.ports['gateway']}",
        "/etc/ssl/mcp.pem": str(folder / "mcp.pem"),
        "/etc/ssl/mcp.key": str(folder / "mcp.key"),
    }.items():
        assert written in server, written
        server = server.replace(written, here)
    return AROUND.format(folder=folder, server=server)


@contextmanager
def nginx(folder: Path, port: int, text: str) -> Iterator[None]:
    (folder / "nginx.conf").write_text(text)
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]) as process:
        try:
            until = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None, (folder / "error.log").read_text()
                    assert time.monotonic() < until, (folder / "error.log").read_text()
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("proxied")
    made = Platform.make(folder)
    settings = made.data / "mcp-platform.toml"
    settings.write_text(settings.read_text().replace("[gateway]", f'[gateway]\npublic_url = "https://{NAME}"'))
    try:
        made.start().cli("server", "add", "time", "--", *stock.modern_stdio())
        yield made
    finally:
        if made.process is not None:
            made.stop()


def test_a_client_calls_through_nginx_with_tls(platform: Platform, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME)
    (tmp_path / "mcp.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(tmp_path / "mcp.key")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    port = stock.free_port()
    with nginx(tmp_path, port, configuration(tmp_path, port, platform)):
        connection = Named(port, trusting)
        params = {"name": stock.TIME.tool, "arguments": stock.TIME.arguments}
        body, headers = modern_request("tools/call", params, platform.api_key)
        connection.request("POST", "/mcp", body, {**headers, "Host": NAME})
        answer = connection.getresponse()
        assert answer.status == 200
        assert stock.TIME.expected in json.loads(answer.read())["result"]["content"][0]["text"]
        connection.close()


def test_another_name_is_not_answered(platform: Platform) -> None:
    body, headers = modern_request("tools/list", {}, platform.api_key)
    assert platform.request("POST", "/mcp", body, {**headers, "Host": NAME}).status == 200
    assert platform.request("POST", "/mcp", body, {**headers, "Host": "evil.example"}).status in (403, 421)


class Named(http.client.HTTPSConnection):
    """A connection to 127.0.0.1 that asks for the certificate of NAME."""

    def __init__(self, port: int, trusting: ssl.SSLContext) -> None:
        super().__init__(NAME, port, timeout=20, context=trusting)
        self.trusting = trusting

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), 20)
        self.sock = self.trusting.wrap_socket(plain, server_hostname=NAME)
