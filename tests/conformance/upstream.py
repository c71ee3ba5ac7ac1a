"""The conformance upstream of our own as a process, and what it wrote down of its requests."""

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.environments import ROOT, python_of

SOURCE = ROOT / "tests" / "peers" / "servers" / "conformance.py"


@dataclass(frozen=True, slots=True)
class Upstream:
    """One conformance upstream over HTTP."""

    url: str
    log: Path

    def requests(self) -> list[dict[str, Any]]:
        return requests_in(self.log)

    def asked(self) -> Counter[str]:
        """How often each tool, prompt and resource was asked for, and each method that names none."""
        return Counter(row["name"] or row["method"] for row in self.requests())


def requests_in(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def line(*arguments: str) -> list[str]:
    """The command of an upstream over stdio."""
    return [str(python_of("mcp2")), str(SOURCE), *arguments]


@contextmanager
def http_upstream(folder: Path, *arguments: str) -> Iterator[Upstream]:
    """An upstream over streamable HTTP; `--only legacy` or `--only modern` for one that knows one era."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "requests.jsonl"
    with (folder / "upstream.log").open("wb") as errors:
        process = subprocess.Popen(
            line("--http", "--log", str(log), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            start_new_session=True,
        )
    assert process.stdout is not None
    with process:
        try:
            said = process.stdout.readline().split()
            assert said[:1] == [b"PORT"], (folder / "upstream.log").read_text()
            yield Upstream(f"http://127.0.0.1:{int(said[1])}/mcp", log)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
