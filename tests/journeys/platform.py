"""A real platform for tests: its own data folder, its own processes, ports that the system chose.

It is driven only through what a user has (the command line, HTTP, signals), so any test may run it from any wheel.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.journeys.processes import Process, descendants

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
COMMAND = (str(Path(sys.executable).with_name("mcp-platform")),)
START_TIMEOUT_S = 30.0
"""Seconds until /readyz; about one on an idle machine, and test machines are not idle."""
STOP_TIMEOUT_S = 30.0


class CommandFailed(AssertionError):
    """A command of the platform ended with a status that the test did not expect."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The JSON-RPC message in the body, whether it came plain or as the last event of a stream."""
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            lines = [line[5:] for line in self.body.decode().splitlines() if line.startswith("data:")]
            return json.loads(lines[-1])
        return json.loads(self.body)


@dataclass(slots=True)
class Platform:
    """One platform on one data folder. `make` it, `start` it, `stop` it; `start` again goes on where it was."""

    data: Path
    home: Path
    """Where the key-encryption key goes: HOME of every command."""
    command: Sequence[str] = COMMAND
    workers: int = 2
    first: dict[str, str] = field(default_factory=dict)
    """What `init --json` printed."""
    process: subprocess.Popen[bytes] | None = None
    ports: dict[str, int] = field(default_factory=dict)
    """Port of each surface (`gateway`, `console`), from DATA/run/ports.json."""

    @classmethod
    def make(cls, folder: Path, *, command: Sequence[str] = COMMAND, workers: int = 2, config: str = "") -> "Platform":
        """Run `init` under `folder`; `config` is TOML: tables that `init` did not write."""
        platform = cls(folder / "data", folder / "home", command, workers)
        platform.home.mkdir(parents=True, exist_ok=True)
        platform.first = platform.cli("init", "--port", "0", "--console-port", "0")
        if config:
            path = platform.data / "mcp-platform.toml"
            before = path.read_text() if path.exists() else ""
            path.write_text(f"{before}\n{config}\n")
            path.chmod(0o600)
        return platform

    @property
    def api_key(self) -> str:
        return self.first["api_key"]

    @property
    def pid(self) -> int:
        assert self.process is not None, "the platform is not started"
        return self.process.pid

    @property
    def log_file(self) -> Path:
        return self.data.parent / "serve.log"

    @property
    def mcp_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}/mcp"

    @property
    def console_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['console']}"

    def environment(self) -> dict[str, str]:
        """What the platform's commands see: a home of its own, and no setting of whoever runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MCP_PLATFORM_")}
        return {**kept, "HOME": str(self.home), "NO_COLOR": "1"}

    def start(self, *arguments: str) -> "Platform":
        """Start `serve` and wait until it is ready."""
        assert self.process is None, "the platform runs already"
        (self.data / "run" / "ports.json").unlink(missing_ok=True)
        line = [*self.command, "serve", "--data", str(self.data), "--workers", str(self.workers), *arguments]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                line,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data.parent,
                start_new_session=True,
            )
        self.wait_until_ready()
        return self

    def wait_until_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait for the ports and then for /readyz; fails with the log when the process ends first."""
        path = self.data / "run" / "ports.json"
        self.wait_for(path.exists, "run/ports.json", timeout_s)
        written = json.loads(path.read_text())
        self.ports = {surface: written[surface] for surface in ("gateway", "console")}
        self.wait_for(self.is_ready, "/readyz", timeout_s)

    def is_ready(self) -> bool:
        try:
            return self.request("GET", "/readyz", timeout_s=2.0).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_for(self, happened: Callable[[], bool], what: str, timeout_s: float = 5.0) -> None:
        """Poll until `happened()`; a platform that ends meanwhile, or a time-out, fails the test with its log."""
        until = time.monotonic() + timeout_s
        while not happened():
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > until:
                why = "the platform ended" if ended else f"{timeout_s} s passed"
                raise AssertionError(f"{why} before {what}; its log:\n{self.log()[-8000:]}")
            time.sleep(0.02)

    def stop(self, signal_number: int = signal.SIGTERM, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """End the platform and give its exit status; what it should have ended and did not is killed."""
        assert self.process is not None, "the platform is not started"
        process, self.process = self.process, None
        family = descendants(process.pid)
        process.send_signal(signal_number)
        try:
            return process.wait(timeout_s)
        finally:
            process.kill()
            process.wait()
            for left in family:
                left.kill()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def family(self) -> list[Process]:
        """Every process below `serve`, grandchildren too."""
        return descendants(self.pid)

    def pids(self) -> dict[str, int]:
        """Ids of the platform's own processes by role: `control`, `upstream-host`, `worker-0` …"""
        rows = json.loads((self.data / "run" / "processes.json").read_text())["processes"]
        named = {row["role"] if row["slot"] is None else f"{row['role']}-{row['slot']}": row["pid"] for row in rows}
        return {name: pid for name, pid in named.items() if pid is not None}

    def run(self, *arguments: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command of the platform on this data folder, whatever status it ends with."""
        head, tail = arguments, ()
        if "--" in arguments:
            cut = arguments.index("--")
            head, tail = arguments[:cut], arguments[cut:]
        return subprocess.run(
            [*self.command, *head, "--data", str(self.data), *tail],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def cli(self, *arguments: str, status: int = 0, timeout_s: float = 60.0) -> Any:
        """Run a command with --json and give what it printed; fails where it ends with another status."""
        head, tail = arguments, ()
        if "--" in arguments:
            cut = arguments.index("--")
            head, tail = arguments[:cut], arguments[cut:]
        done = self.run(*head, "--json", *tail, timeout_s=timeout_s)
        if done.returncode != status:
            shown = f"{' '.join(arguments)} ended with {done.returncode}, not {status}"
            raise CommandFailed(f"{shown}:\n{done.stdout}{done.stderr}\nlog:\n{self.log()[-4000:]}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = 30.0,
    ) -> Answer:
        """One plain HTTP request to the agents' surface."""
        address = urlsplit(self.mcp_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read())
        finally:
            connection.close()

    def rpc(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        path: str = "/mcp",
        timeout_s: float = 30.0,
    ) -> Answer:
        """One request in the modern dialect with the first key, or with `key`."""
        body, named = modern_request(method, params or {}, key or self.api_key)
        return self.request("POST", path, body, {**named, **(headers or {})}, timeout_s)

    def call(self, tool: str, arguments: dict[str, Any] | None = None, *, key: str | None = None) -> Answer:
        """Call a tool in the modern dialect."""
        return self.rpc("tools/call", {"name": tool, "arguments": arguments or {}}, key=key)

    def tools(self, *, key: str | None = None) -> list[str]:
        """Names of the tools that a key sees."""
        return [tool["name"] for tool in self.rpc("tools/list", key=key).json()["result"]["tools"]]


def modern_request(method: str, params: dict[str, Any], key: str | None) -> tuple[bytes, dict[str, str]]:
    """Body and headers of one request as MCP 2026-07-28 has it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "journey", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
    }
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    return json.dumps(message).encode(), headers


@contextmanager
def running_platform(
    folder: Path, *, command: Sequence[str] = COMMAND, workers: int = 2, config: str = ""
) -> Iterator[Platform]:
    """A platform that is ready, and gone afterwards."""
    platform = Platform.make(folder, command=command, workers=workers, config=config)
    try:
        yield platform.start()
    finally:
        if platform.process is not None:
            platform.stop()
