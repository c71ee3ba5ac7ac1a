"""Small real processes in place of the platform's own, so that the supervisor is tested by itself.

What one is to do wrong comes through the environment: STAND_IN_CRASH (a role that ends at once, while there is a file
`crash` beside the data folder), STAND_IN_REFUSE (a role that finds the configuration wrong).
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

from mcp_platform.base.errors import CONFIGURATION, Fault
from mcp_platform.net.inherit import Inherited
from mcp_platform.supervisor.roles import Role


def misbehave(role: str, inherited: Inherited) -> None:
    if os.environ.get("STAND_IN_CRASH") == role and (inherited.data.root.parent / "crash").exists():
        os._exit(3)
    if os.environ.get("STAND_IN_REFUSE") == role:
        raise Fault(CONFIGURATION)


def control(inherited: Inherited) -> None:
    misbehave("control", inherited)
    signal.sigwait(termination())


def upstream_host(inherited: Inherited) -> None:
    """Starts a program whose own child leaves its session and its parent: what PDEATHSIG alone does not reach."""
    misbehave("upstream-host", inherited)
    waited_for = termination()
    subprocess.run(["/bin/sh", "-c", "setsid sleep 600 &"], check=True)
    subprocess.Popen(["/bin/sleep", "600"])
    signal.sigwait(waited_for)


def worker(inherited: Inherited, slot: int) -> None:
    misbehave("worker", inherited)
    Worker(inherited, slot).serve()


def termination() -> set[signal.Signals]:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    return {signal.SIGTERM}


class Worker:
    """Answers every GET with one JSON object; /slow/S takes S seconds. What it has accepted it answers."""

    def __init__(self, inherited: Inherited, slot: int) -> None:
        self.inherited = inherited
        self.slot = slot
        self.ended = False

    def serve(self) -> None:
        signal.signal(signal.SIGTERM, self.end)
        answering: list[threading.Thread] = []
        while not self.ended:
            for sock in select.select(self.inherited.gateway, [], [], 0.05)[0]:
                with contextlib.suppress(BlockingIOError):  # the other worker was faster
                    connection, _ = sock.accept()
                    connection.settimeout(5)
                    answering.append(threading.Thread(target=self.answer, args=(connection,), daemon=True))
                    answering[-1].start()
            answering = [thread for thread in answering if thread.is_alive()]
        until = time.monotonic() + self.inherited.settings.processes.drain_s
        for thread in answering:
            thread.join(max(0.0, until - time.monotonic()))

    def end(self, _number: int, _frame: object) -> None:
        self.ended = True

    def answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(4096)
                if not more:
                    return
                head += more
            path = head.split(b" ", 2)[1].decode()
            if path.startswith("/slow/"):
                time.sleep(float(path[6:]))
            body = json.dumps(self.what_it_sees()).encode()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
            )

    def what_it_sees(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "slot": self.slot,
            "log_level": self.inherited.settings.processes.log_level,
            "idle_timeout_s": self.inherited.settings.http.idle_timeout_s,
            "secret_bytes": sum(byte != 0 for byte in self.inherited.worker_secret),
            "sql": sorted(name for name in sys.modules if name.split(".")[0] in {"sqlalchemy", "sqlite3"}),
        }


ROLES = (
    Role(
        name="control",
        entry="stand_in_roles:control",
        keeps=frozenset({"console", "control", "feed", "broker"}),
        topics=frozenset({"http", "processes"}),
    ),
    Role(
        name="upstream-host",
        entry="stand_in_roles:upstream_host",
        keeps=frozenset({"host"}),
        warm=True,
        contained=True,
        topics=frozenset({"upstreams"}),
    ),
    Role(
        name="worker",
        entry="stand_in_roles:worker",
        keeps=frozenset({"gateway", "operations", "owners", "gate"}),
        holds_secret=True,
        warm=True,
        slots=True,
        drains=True,
        surface="gateway",
        topics=frozenset({"http", "processes"}),
    ),
)
