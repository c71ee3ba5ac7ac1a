"""Everything encrypted and every caller with a token of an issuer: TLS 1.3 from clients and to the upstream, a thousand
principals, results of 300 B to 100 kB, 30 % of them streams. Beside it nginx doing the same with an access log and
`auth_request`, which asks another server about each request and believes it.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.attacks.certificates import Authority
from tests.attacks.secured import TLS, Secured
from tests.bench import closed_loop, traffic
from tests.bench.candidate import Candidate, until_open
from tests.bench.machine import BESIDE, MEASURED, pin, pinned, tree
from tests.bench.rounds import in_turns, ratio
from tests.bench.upstreams import stub
from tests.features.jwt.provider import ISSUER, Signer, claims
from tests.journeys.stock_servers import free_port

PRINCIPALS = 1000
CONNECTIONS = 32
_HOST = "localhost"
_COMMON = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 2048; }}
http {{
  access_log {log}; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder}; keepalive_requests 100000000; ssl_protocols TLSv1.3;
  ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server-key.pem;
  proxy_http_version 1.1; proxy_set_header Connection "";
  {servers}
}}
"""
_BEHIND = """
  upstream stub {{ server 127.0.0.1:{stub}; keepalive 256; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} ssl; location / {{ proxy_pass http://stub; proxy_buffering off; }} }}
  server {{ listen 127.0.0.1:{allow}; location / {{ return 204; }} }}
"""
_PLAIN = """
  upstream behind {{ server 127.0.0.1:{behind}; keepalive 256; keepalive_requests 100000000; }}
  upstream allow {{ server 127.0.0.1:{allow}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    location / {{
      auth_request /auth; proxy_pass https://behind; proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on;
      proxy_ssl_name {host}; proxy_ssl_trusted_certificate {folder}/ca.pem;
    }}
    location = /auth {{
      internal; proxy_pass http://allow; proxy_pass_request_body off; proxy_set_header Content-Length "";
    }}
  }}
"""


def measured() -> dict[str, Any] | None:
    """Candidates' processor time for each call and our ratio to nginx; None where nginx is not installed."""
    if not shutil.which("nginx"):
        print(
            "bench: SKIPPED TLS and tokens: nginx is not installed (Debian: apt-get install nginx-light)",
            file=sys.stderr,
        )
        return None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="encrypted-")))
        authority = Authority()
        behind, allow = stack.enter_context(_behind(folder, authority))
        plain = stack.enter_context(_nginx(folder / "plain", authority, behind, allow))
        ours = stack.enter_context(_gateway(folder / "ours", authority, behind))
        candidates = [plain, ours]
        mixes = {}
        for number, each in enumerate(candidates):
            requests = traffic.mixed(each.credentials or ours.credentials, 2000, mistaken=False)
            mixes[each.name] = closed_loop.written(folder / f"{number}.mix", requests, each.port)
        found = in_turns(candidates, mixes, CONNECTIONS, seconds=3, rounds=4)
    return {
        "candidates": {name: series.as_data() for name, series in found.items()},
        "ratio": ratio(found, ours.name, plain.name),
    }


@contextmanager
def _behind(folder: Path, authority: Authority) -> Iterator[tuple[int, int]]:
    """Ports of the stub behind TLS, and of a server that allows everything; both on the other core."""
    place = folder / "behind"
    place.mkdir()
    authority.issue(_HOST).write(place)
    port, allow = free_port(), free_port()
    with stub(folder) as bare:
        servers = _BEHIND.format(stub=bare, port=port, allow=allow)
        with _running(place, servers, "off", BESIDE, port):
            until_open(allow)
            yield port, allow


@contextmanager
def _nginx(folder: Path, authority: Authority, behind: int, allow: int) -> Iterator[Candidate]:
    folder.mkdir()
    authority.issue().write(folder)
    (folder / "ca.pem").write_text(authority.pem)
    port = free_port()
    servers = _PLAIN.format(behind=behind, allow=allow, port=port, host=_HOST, folder=folder)
    with _running(folder, servers, f"{folder}/access.log", MEASURED, port) as process:
        yield Candidate("nginx, TLS, access log, auth_request", port, tree(process.pid), (), tls=True)


@contextmanager
def _running(folder: Path, servers: str, log: str, core: int, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    (folder / "nginx.conf").write_text(_COMMON.format(folder=folder, log=log, servers=servers))
    line = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(pinned(core, line)) as process:
        try:
            until_open(port)
            yield process
        finally:
            process.terminate()


@contextmanager
def _gateway(folder: Path, authority: Authority, behind: int) -> Iterator[Candidate]:
    """The platform with one worker, behind TLS, that trusts an issuer."""
    files = folder / "tls"
    files.mkdir(parents=True, mode=0o700)
    authority.issue().write(files)
    (folder / "ca.pem").write_text(authority.pem)
    platform = Secured.make(folder, workers=1)
    assert isinstance(platform, Secured)
    platform.authority, platform.folder = authority.pem, files
    settings = TLS.format(folder=files, minimum="1.3", public="")
    (platform.data / "mcp-platform.toml").write_text(f'{settings}\n[journal]\ndurability = "relaxed"\n')
    platform.start()
    try:
        trusted = ("--ca-file", str(folder / "ca.pem"))
        platform.cli("server", "add", "stub", f"https://{_HOST}:{behind}/mcp", *trusted)
        platform.cli("limit", "set", "each", "--rate", "1000000/s", "--burst", "1000000")
        credentials = _tokens(platform, folder)
        pids = tree(platform.pid)
        pin(pids, MEASURED)
        name = "gateway, relaxed, TLS, tokens"
        yield Candidate(
            name, platform.ports["gateway"], pids, tuple(f"Bearer {each}" for each in credentials), tls=True
        )
    finally:
        platform.stop()


def _tokens(platform: Secured, folder: Path) -> Sequence[str]:
    """One for each principal."""
    signer = Signer.make("ES256", "k1")
    (folder / "keys.json").write_text(json.dumps({"keys": [signer.jwk()]}))
    keys = ("--jwks-file", str(folder / "keys.json"), "--default-role", "member")
    platform.cli("issuer", "add", "bench", ISSUER, *keys)
    said = [claims(platform.mcp_url, sub=f"agent-{number}", life_s=3600) for number in range(PRINCIPALS)]
    return [signer.token(each) for each in said]
