"""A supervisor over stand-in processes, run as a program of its own; every process of it carries a mark."""

import contextlib
import http.client
import json
import os
import queue
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_platform.base.folder import DataFolder, make_private
from mcp_platform.features.vault.keys import KeyRing
from mcp_platform.store import revisions

PROGRAM = Path(__file__).parent / "stand_in_platform.py"
NOBODY = 65534
BOUND_S = 10.0
"""Seconds that anything may take in these tests; the machine is shared."""


@dataclass(slots=True)
class StandIn:
    """One platform of stand-ins."""

    folder: Path
    containment: str | None = None
    user: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: f"STAND_IN_MARK={secrets.token_hex(8)}")
    terminal: int | None = None
    """A terminal to start from; None: none."""
    process: subprocess.Popen[str] | None = None
    ports: dict[str, Any] = field(default_factory=dict)
    lines: "queue.Queue[str]" = field(default_factory=queue.Queue)

    @property
    def data(self) -> DataFolder:
        return DataFolder(self.folder / "data")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def make(self) -> None:
        """What `init` would: keys and a database without tables but alembic's."""
        make_private(self.data.root)
        kek = self.folder / "kek"
        KeyRing.create(self.data, str(kek), time.time())
        with contextlib.closing(sqlite3.connect(self.data.database)) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
            connection.execute("INSERT INTO alembic_version VALUES (?)", [revisions.newest()])
            connection.commit()
        ports = {"gateway": {"port": 0, "workers": 2}, "console": {"port": 0}, "vault": {"kek_file": str(kek)}}
        for topic, values in self.settings.items():
            ports.setdefault(topic, {}).update(values)
        self.configure(ports)
        if self.user is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.user, self.user)

    def configure(self, settings: dict[str, dict[str, Any]]) -> None:
        self.settings = settings
        (self.folder / "settings.json").write_text(json.dumps(settings))

    def start(self) -> None:
        name, _, value = self.mark.partition("=")
        line = [sys.executable, str(PROGRAM), str(self.data.root), str(self.folder / "settings.json")]
        if self.containment:
            line.append(self.containment)
        if self.user is not None:
            line = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *line]
        if self.terminal is not None:
            line = ["setsid", "--ctty", *line]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                line,
                env={**os.environ, **self.environment, name: value, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL if self.terminal is None else self.terminal,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=self.terminal is None,
            )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as said:
            for line in said:
                self.lines.put(line)

    def said(self) -> dict[str, Any]:
        """The next line on stdout."""
        try:
            found: dict[str, Any] = json.loads(self.lines.get(timeout=BOUND_S))
        except queue.Empty:
            raise AssertionError(f"nothing was said; the log:\n{self.log[-6000:]}") from None
        return found

    def begin(self) -> "StandIn":
        """Start and wait until it says that it is ready."""
        self.start()
        self.ports = self.said()
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(BOUND_S)

    def ask(self, path: str = "/", timeout_s: float = BOUND_S) -> dict[str, Any]:
        """What some worker sees."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["gateway"], timeout=timeout_s)
        try:
            connection.request("GET", path)
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data.run / "processes.json").read_text())
        return found

    def pid_of(self, role: str) -> int:
        """The process in the first place of a role, as the supervisor tells; waits while there is none."""

        found: list[int] = []

        def is_filled() -> bool:
            rows = self.status()["processes"]
            found[:] = [row["pid"] for row in rows if row["role"] == role and row["pid"] is not None]
            return bool(found)

        self.wait_for(is_filled, f"a process for {role}")
        return found[0]

    def everybody(self) -> list[int]:
        """Every live process that carries our mark."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    dead = (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
                    if not dead and self.mark.encode() in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
        return found

    def wait_for(self, happened: Callable[[], bool], what: str, bound_s: float = BOUND_S) -> float:
        """Poll until `happened()`; the seconds it took."""
        began = time.monotonic()
        while not happened():
            if time.monotonic() - began > bound_s:
                raise AssertionError(f"{bound_s} s passed before {what}; the log:\n{self.log[-6000:]}")
            time.sleep(0.01)
        return time.monotonic() - began

    def end(self) -> None:
        """Leave nothing, whatever the test did."""
        for pid in self.everybody():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


@contextlib.contextmanager
def stand_in(
    *,
    containment: str | None = None,
    user: int | None = None,
    environment: dict[str, str] | None = None,
    settings: dict[str, dict[str, Any]] | None = None,
) -> Iterator[StandIn]:
    """A platform of stand-ins in a folder that another user may reach, not started yet."""
    folder = Path(tempfile.mkdtemp(prefix="mcpp-supervisor-"))
    platform = StandIn(folder, containment, user, environment or {}, settings or {})
    try:
        platform.make()
        yield platform
    finally:
        platform.end()
        shutil.rmtree(folder)
