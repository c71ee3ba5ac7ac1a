"""nginx and haproxy as plain proxies: what it costs to pass a request on and do nothing else."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.candidate import Candidate, until_open
from tests.bench.machine import MEASURED, pinned, tree
from tests.journeys.stock_servers import free_port

_NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream behind {{ server 127.0.0.1:{behind}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port}; keepalive_requests 100000000;
    location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""
_HAPROXY = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:{port}
  default_backend behind
backend behind
  server stub 127.0.0.1:{behind}
"""


@contextmanager
def nginx(folder: Path, behind: int) -> Iterator[Candidate | None]:
    """nginx with one worker; None where it is not installed."""
    if not _installed("nginx", "nginx-light"):
        yield None
        return
    port = free_port()
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, behind=behind, port=port))
    line = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with _running("nginx", line, port) as candidate:
        yield candidate


@contextmanager
def haproxy(folder: Path, behind: int) -> Iterator[Candidate | None]:
    """haproxy with one thread; None where it is not installed."""
    if not _installed("haproxy", "haproxy"):
        yield None
        return
    port = free_port()
    (folder / "haproxy.cfg").write_text(_HAPROXY.format(behind=behind, port=port))
    with _running("haproxy", ["haproxy", "-db", "-q", "-f", str(folder / "haproxy.cfg")], port) as candidate:
        yield candidate


@contextmanager
def _running(name: str, line: list[str], port: int) -> Iterator[Candidate]:
    with subprocess.Popen(pinned(MEASURED, line)) as process:
        try:
            until_open(port)
            yield Candidate(name, port, tree(process.pid), ())
        finally:
            process.terminate()


def _installed(command: str, package: str) -> bool:
    if shutil.which(command):
        return True
    print(f"bench: SKIPPED {command}: it is not installed (Debian: apt-get install {package})", file=sys.stderr)
    return False
