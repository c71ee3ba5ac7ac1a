"""The servers of the table, each started as its user would, behind one platform."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.conformance import upstream
from tests.journeys import stock_servers as stock
from tests.journeys.bridge.table import SERVERS
from tests.journeys.platform import Platform
from tests.peers.environments import command_of, node, npm_bin


def places(folder: Path, stack: ExitStack) -> dict[str, list[str]]:
    """What `server add` is told of each server: a URL, or a command and what it needs."""
    everything = [str(node()), str(npm_bin("mcp-server-everything"))]
    make_folders(folder)
    sse = stack.enter_context(stock.everything_sse(folder / "sse.log"))
    modern = stack.enter_context(upstream.http_upstream(folder / "modern", "--only", "modern"))
    legacy = stack.enter_context(upstream.http_upstream(folder / "legacy", "--only", "legacy"))
    return {
        "everything-stdio": ["--", *everything, "stdio"],
        "everything-http": [stack.enter_context(stock.legacy_http(folder / "http.log"))],
        "everything-sse": ["--sse", sse],
        "filesystem": ["--", str(node()), str(npm_bin("mcp-server-filesystem")), str(folder)],
        "memory": [
            "--env",
            f"MEMORY_FILE_PATH={folder / 'memory.jsonl'}",
            "--",
            str(node()),
            str(npm_bin("mcp-server-memory")),
        ],
        "git": ["--env", f"PATH={os.environ['PATH']}", "--", str(command_of("git", "mcp-server-git"))],
        "time": ["--", *stock.modern_stdio()],
        "sqlite": ["--", *stock.legacy_stdio(folder)],
        "fastmcp": [stack.enter_context(stock.modern_http(folder / "fastmcp.log"))],
        "modern-stdio": ["--", *upstream.line("--only", "modern")],
        "modern-http": [modern.url],
        "legacy-stdio": ["--", *upstream.line("--only", "legacy")],
        "legacy-http": [legacy.url],
    }


def make_folders(folder: Path) -> None:
    (folder / "root").mkdir()  # what the clients say is their root; the filesystem server is started for all of it
    git = shutil.which("git")
    assert git, "mcp-server-git needs git"
    repository = str(folder / "repository")
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for line in (["init", "-q", repository], ["-C", repository, *author, "commit", "-qm", "first", "--allow-empty"]):
        subprocess.run([git, *line], check=True, timeout=20)


@contextmanager
def registered(platform: Platform, folder: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """All of them added; yields what `server add` said of each."""
    with ExitStack() as stack:
        told = places(folder, stack)
        assert list(told) == list(SERVERS)
        added = {name: platform.cli("server", "add", name, *where) for name, where in told.items()}
        platform.call("create_table", {"query": "CREATE TABLE notes (note TEXT)"})
        yield added
