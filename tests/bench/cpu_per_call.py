"""What a tools/call costs the gateway: processor time of its workers for each call, over a stub server.

Beside it, where nginx is installed, the same requests through nginx as a plain proxy: the ratio of two numbers of one
run says more than either, because machines differ and are noisy. Rounds alternate; medians are printed.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.journeys.platform import Platform, modern_request, running_platform
from tests.journeys.stock_servers import free_port

HERE = Path(__file__).parent
CALLS = 20_000
CONNECTIONS = 32
ROUNDS = 5
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream stub {{ server 127.0.0.1:{stub}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port}; keepalive_requests 1000000;
    location / {{ proxy_pass http://stub; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


def cpu_seconds(pids: list[int]) -> float:
    """Processor time of processes so far, from the scheduler's own accounting."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


def wire(port: int, key: str | None) -> bytes:
    """The request as it goes over the wire."""
    body, headers = modern_request("tools/call", {"name": "lookup", "arguments": {"record": "a1", "fields": []}}, key)
    lines = {**headers, "Host": f"127.0.0.1:{port}", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body


def measure(port: int, key: str | None, pids: list[int]) -> float:
    """Microseconds of processor time for one call."""
    assert pids, "nothing is measured"
    before = cpu_seconds(pids)
    line = [sys.executable, str(HERE / "load.py"), str(port), str(CALLS), str(CONNECTIONS)]
    done = subprocess.run(line, input=wire(port, key), capture_output=True, check=True, timeout=150)
    answered = json.loads(done.stdout)
    assert answered["statuses"] == {"200": CALLS}, answered
    return (cpu_seconds(pids) - before) / CALLS * 1e6


@contextmanager
def stub() -> Iterator[int]:
    with subprocess.Popen([sys.executable, str(HERE / "stub.py")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None, "a pipe was asked for"
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def nginx(folder: Path, behind: int) -> Iterator[tuple[int, list[int]]]:
    """Port and worker processes of a plain proxy."""
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, stub=behind, port=port))
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]) as process:
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            until = time.monotonic() + 10
            while not children.read_text() and time.monotonic() < until:
                time.sleep(0.05)
            yield port, [int(pid) for pid in children.read_text().split()]
        finally:
            process.terminate()


def workers_of(platform: Platform) -> list[int]:
    return [pid for role, pid in platform.pids().items() if role.startswith("worker")]


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        behind = stack.enter_context(stub())
        platform = stack.enter_context(running_platform(folder, workers=1))
        platform.cli("server", "add", "stub", f"http://127.0.0.1:{behind}/mcp")
        platform.cli("limit", "set", "each-principal", "--rate", "1000000/s")
        candidates = {"gateway": (platform.ports["gateway"], platform.api_key, workers_of(platform))}
        if shutil.which("nginx"):
            port, pids = stack.enter_context(nginx(folder, behind))
            candidates["nginx as a plain proxy"] = (port, None, pids)
        found: dict[str, list[float]] = {name: [] for name in candidates}
        for number in range(ROUNDS + 1):
            for name, candidate in candidates.items():
                cost = measure(*candidate)
                if number:  # the first round warms caches and connections
                    found[name].append(cost)
    print(f"tools/call over an HTTP stub, {CONNECTIONS} connections, {ROUNDS} rounds of {CALLS} calls, one worker")
    for name, costs in found.items():
        low, middle, high = min(costs), statistics.median(costs), max(costs)
        print(f"  {name:24} {middle:7.1f} µs of processor time a call ({low:.1f}-{high:.1f})")
    if len(found) == 2:
        ours, theirs = (statistics.median(costs) for costs in found.values())
        print(f"  ratio {ours / theirs:.2f}")
    else:
        print("  nginx is not installed: no comparison (Debian: apt-get install nginx-light)")


if __name__ == "__main__":
    main()
