"""`./dev run`: a platform on an embedded default with one stock MCP server behind it, and lines to try it with.

It does what a user would, through the command line only. The first key is kept in a file of mode 0600 beside the
data folder, because a key is shown once and the second `./dev run` must print lines that work, too.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from development.lines import lines_to_try
from tests.peers.environments import ROOT, command_of

COMMAND = Path(sys.executable).with_name("mcp-platform")
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 45.0
"""Seconds in-flight calls get (processes.drain_s is 20) and then some."""


class Failed(Exception):
    """A step of the first run did not go well; the text says which and what to do."""


@dataclass(slots=True)
class Run:
    """One `./dev run`."""

    data: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def key_file(self) -> Path:
        return self.data.with_name(f"{self.data.name}.key")

    @property
    def log_file(self) -> Path:
        return self.data.with_name(f"{self.data.name}.log")

    def refuse_second(self) -> None:
        """Raises Failed, having touched nothing, where a platform runs on the folder already."""
        with contextlib.suppress(FileNotFoundError), (self.data / "lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failed(f"already running at {self.known_address()}; stop that one first.") from None

    def known_address(self) -> str:
        try:
            return self.address()
        except (OSError, ValueError, LookupError):
            return f"an address that {self.log_file} says"

    def make(self) -> None:
        """Make the platform, where there is none yet."""
        if (self.data / "platform.db").exists():
            return
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.keep_key(self.command("init")["api_key"])

    def keep_key(self, key: str) -> None:
        handle = os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as stream:
            os.fchmod(handle, 0o600)
            stream.write(f"{key}\n")

    def command(self, *arguments: str, after: Sequence[str] = ()) -> dict[str, Any]:
        """Run a command of the platform; what its --json printed."""
        line = [str(COMMAND), *arguments, "--data", str(self.data), "--json", *after]
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def start(self, arguments: list[str]) -> None:
        """Start `serve` and wait until it is ready."""
        ports = self.data / "run" / "ports.json"
        ports.unlink(missing_ok=True)
        with self.log_file.open("wb") as log:
            line = [str(COMMAND), "serve", "--data", str(self.data), *arguments]
            # A process group of its own: Ctrl-C reaches only us, and we end it once and in order.
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        until = time.monotonic() + READY_TIMEOUT_S
        while not (ports.exists() and status_of(f"{self.address()}/readyz") == 200):
            if self.process.poll() is not None or time.monotonic() > until:
                said = self.log_file.read_text()[-3000:].strip()
                hint = "Options go to serve: ./dev run --port 8090 --console-port 8091."
                raise Failed(f"The platform did not start. {self.log_file} says:\n{said}\n{hint}")
            time.sleep(0.05)

    def address(self) -> str:
        written = json.loads((self.data / "run" / "ports.json").read_text())
        listening = written["gateway_addresses"][0]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listening, listening)  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{written['gateway']}"

    def register(self) -> None:
        """Put the stock server behind the platform, and have a key that works."""
        servers = self.command("server", "list")["servers"]
        if not any(server["name"] == "time" for server in servers):
            self.command("server", "add", "time", after=["--", str(command_of("time", "mcp-server-time"))])
        known = self.key_file.exists() and self.key_file.read_text().strip()
        if not known or status_of(f"{self.address()}/mcp", known) == 401:
            made = self.command("key", "create", "--principal", "development", "--role", "member")
            self.keep_key(made["api_key"])

    def stop(self) -> int:
        """End the platform in order; a second Ctrl-C ends it at once."""
        if self.process is None:
            return 1
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self.process.kill()
            return self.process.wait()


def status_of(url: str, key: str | None = None) -> int:
    """HTTP status of a GET; 0 where nobody answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


HELP = """usage: ./dev run [OPTIONS OF serve]

Starts a platform with one MCP server behind it and prints lines to try; Ctrl-C stops it. Its folder is .run/data, or
what MCP_PLATFORM_DATA names. `.venv/bin/mcp-platform serve --help` lists the options, for example:
  ./dev run --port 8090 --console-port 8091"""


def main(arguments: list[str]) -> int:
    """Run until Ctrl-C or until the platform ends; its exit status."""
    if not {"-h", "--help"}.isdisjoint(arguments):
        print(HELP)
        return 0
    if any(argument.partition("=")[0] == "--data" for argument in arguments):
        print("dev run: --data is not taken here; MCP_PLATFORM_DATA names another folder.", file=sys.stderr)
        return 2
    asked = os.environ.pop("MCP_PLATFORM_DATA", None)
    called_from = Path(os.environ.pop("MCP_PLATFORM_CALLED_FROM", str(ROOT)))
    run = Run((called_from / asked).resolve() if asked else ROOT / ".run" / "data")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        run.refuse_second()
        run.make()
        run.start(arguments)
        run.register()
        print(lines_to_try(run.address(), run.key_file), flush=True)
        print(f"\nRunning. Its log: {run.log_file}. Ctrl-C stops it.", flush=True)
        assert run.process is not None, "start made it"
        return run.process.wait()
    except Failed as failure:
        print(f"dev run: {failure}", file=sys.stderr)
        run.stop()
        return 1
    except KeyboardInterrupt:
        return run.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
