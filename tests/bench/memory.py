"""What memory a worker takes: with ten thousand listeners that wait, and after clients that came, asked and left."""

import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import traffic
from tests.bench.budget import memory_mib
from tests.bench.machine import MEASURED, pin, tree
from tests.bench.upstreams import stub
from tests.journeys.platform import Platform, modern_request, running_platform

LISTENERS = 10_000
AT_ONCE = 100
"""Listeners that are let in before the next ones come: fewer than wait in the queue of a socket."""
CYCLES = 20_000
"""As many again came before, so that everything that is kept once is there."""
_CONFIG = """
[http]
max_connections = 12000
max_connections_per_address = 12000
[calls]
max_streams_per_principal = 12000
"""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets."""


def measured() -> dict[str, float]:
    """MiB, pages shared with others by their share."""
    with _worker() as (platform, worker):
        listening = _listeners(platform, worker)
    with _worker() as (platform, worker):
        _cycles(platform)
        before = _settled(platform, worker)
        _cycles(platform)
        grown = _settled(platform, worker) - before
    return {"listeners": LISTENERS, "listening_mib": listening, "cycles": CYCLES, "grown_mib": round(grown, 1)}


@contextmanager
def _worker() -> Iterator[tuple[Platform, int]]:
    with tempfile.TemporaryDirectory(prefix="bench-") as made, stub(Path(made), 10) as behind:
        with running_platform(Path(made) / "platform", workers=1, config=_CONFIG) as platform:
            platform.cli("server", "add", "stub", f"http://127.0.0.1:{behind}/mcp")
            platform.cli("limit", "set", "each", "--rate", "1000000/s", "--burst", "1000000")
            pin(tree(platform.pid), MEASURED)
            yield platform, platform.pids()["worker-0"]


def _listeners(platform: Platform, worker: int) -> float:
    """Every one has been told that it is heard, and is told nothing more."""
    body, headers = modern_request(
        "subscriptions/listen", {"notifications": {"toolsListChanged": True}}, platform.api_key
    )
    asked = traffic.wire(traffic.Request(headers, body), platform.ports["gateway"])
    open_ones: list[socket.socket] = []
    try:
        while len(open_ones) < LISTENERS:
            new = [_connected(platform) for _ in range(AT_ONCE)]
            open_ones += new
            for each in new:
                each.sendall(asked)
            for each in new:
                answer = each.recv(4096)
                assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
        return memory_mib(worker)
    finally:
        for each in open_ones:
            each.close()


def _cycles(platform: Platform) -> None:
    """Clients that ask and leave at once: every other one properly, every other one by a reset."""
    call = traffic.called("lookup_1", {"record": "r1", "bytes": 2000}, f"Bearer {platform.api_key}")
    asked = traffic.wire(call, platform.ports["gateway"])
    for number in range(CYCLES):
        with _connected(platform) as client:
            client.sendall(asked)
            if number % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _settled(platform: Platform, worker: int) -> float:
    """Memory when nobody is there: what was asked last has ended, and so has what the flood of them filled."""
    until = time.monotonic() + 30
    while (answer := platform.call("lookup_1", {"record": "r1"})).status != 200:
        assert time.monotonic() < until, answer
        time.sleep(0.5)
    time.sleep(1)
    return memory_mib(worker)


def _connected(platform: Platform) -> socket.socket:
    return socket.create_connection(("127.0.0.1", platform.ports["gateway"]), 30)
