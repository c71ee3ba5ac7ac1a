"""The stock MCP servers of the journeys: one modern and one legacy for each of stdio and HTTP.

test_stock_servers.py asserts which era each speaks, so an update of a pin that changes it is noticed.
"""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.environments import ROOT, command_of, environment_for_node, node, npm_bin

START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Example:
    """One tool of a stock server: a call that works, and arguments that its schema refuses."""

    tool: str
    arguments: dict[str, Any]
    expected: str
    """A part of the text that the tool answers with."""
    bad_arguments: dict[str, Any]


TIME = Example("get_current_time", {"timezone": "Asia/Tokyo"}, "Asia/Tokyo", {"timezone": 7})
SQLITE = Example("read_query", {"query": "SELECT 40 + 2 AS answer"}, "42", {"query": ["SELECT 1"]})
FASTMCP = Example("add", {"a": 20, "b": 22}, "42", {"a": "twenty", "b": 22})
EVERYTHING = Example("echo", {"message": "through the gateway"}, "through the gateway", {"message": 7})


def modern_stdio() -> list[str]:
    """mcp-server-time, on the Python SDK 2: answers both eras."""
    return [str(command_of("time", "mcp-server-time"))]


def legacy_stdio(folder: Path) -> list[str]:
    """mcp-server-sqlite, on the Python SDK 1: knows only initialize."""
    return [str(command_of("sqlite", "mcp-server-sqlite")), "--db-path", str(folder / "stock.db")]


def legacy_stdio_npm() -> list[str]:
    """server-everything, on the TypeScript SDK 1."""
    return [str(node()), str(npm_bin("mcp-server-everything")), "stdio"]


@contextmanager
def modern_http(log: Path) -> Iterator[str]:
    """A server on FastMCP 4 over streamable HTTP; yields its URL."""
    port = free_port()
    source = ROOT / "tests" / "peers" / "servers" / "adding_fastmcp.py"
    line = [str(command_of("fastmcp", "fastmcp")), "run", str(source), "--transport", "http", "--port", str(port)]
    with _served([*line, "--no-banner", "--log-level", "WARNING"], {}, port, log) as url:
        yield url


@contextmanager
def legacy_http(log: Path) -> Iterator[str]:
    """server-everything over streamable HTTP with sessions; yields its URL."""
    port = free_port()
    line = [str(node()), str(npm_bin("mcp-server-everything")), "streamableHttp"]
    with _served(line, {"PORT": str(port)}, port, log) as url:
        yield url


@contextmanager
def everything_sse(log: Path) -> Iterator[str]:
    """server-everything over HTTP+SSE (2024-11-05); yields its URL."""
    port = free_port()
    line = [str(node()), str(npm_bin("mcp-server-everything")), "sse"]
    with _served(line, {"PORT": str(port)}, port, log) as url:
        yield url.removesuffix("/mcp") + "/sse"


def free_port() -> int:
    """A port that is free now; these servers cannot be told to choose one and say which.

    It is below those that the kernel takes for outgoing connections: one of them could have it before the server does.
    """
    lowest, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    for _ in range(64):
        with suppress(OSError), socket.create_server(("127.0.0.1", random.randrange(10_000, int(lowest)))) as probe:
            return probe.getsockname()[1]
    raise AssertionError("no free port in 64 tries")


@contextmanager
def _served(line: list[str], environment: dict[str, str], port: int, log: Path) -> Iterator[str]:
    with log.open("wb") as stream:
        process = subprocess.Popen(
            line,
            env={**environment_for_node(), **environment},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        with suppress(ProcessLookupError):  # it ended by itself, and the test says why
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the server does not listen on {port}; its log:\n{log.read_text(errors='replace')}")
