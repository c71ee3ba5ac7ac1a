"""Test servers over HTTP, each in a process of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.environments import python_of

SERVERS = Path(__file__).parents[1] / "peers" / "servers"


@contextmanager
def served(peer: str, script: str, argument: str) -> Iterator[str]:
    """A server of tests/peers/servers on a free port; yields its URL. `argument`: `--http` or `--sse`."""
    line = [str(python_of(peer)), str(SERVERS / script), argument]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[1])
        yield f"http://127.0.0.1:{port}/{'sse' if argument == '--sse' else 'mcp'}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
