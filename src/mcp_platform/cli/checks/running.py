"""The running platform: whether it runs, whether control answers, whether every worker lives and is up to date."""

import http.client
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from mcp_platform.base.config.addresses import authority, scheme
from mcp_platform.base.errors import Fault
from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok, warning
from mcp_platform.cli.session import Session
from mcp_platform.net import tls

RESTARTS_WORTH_A_WORD = 1
TRIES_WORTH_A_WORD = 20
"""Requests without a good token: fewer are somebody's typing."""
PATIENCE_S = 5.0
"""Seconds for an answer from this machine."""


def examine(patient: Patient, session: Session) -> Iterator[Finding]:
    if not patient.running:
        yield warning(
            "running", "the platform does not run", f"Start it: mcp-platform serve --data {patient.data.root}"
        )
        return
    status = patient.status or {}
    if "fault" in status:
        yield fault("control", f"the platform runs but control does not answer: {status['fault']}", "See serve's log.")
    else:
        yield ok("control", f"control answers, revision {status.get('revision', '?')}")
    yield from _processes(patient)
    yield from _workers(patient, status)
    yield from _surfaces(patient)
    if "fault" not in status:
        yield from _rest(status)
        yield _audit(session)


def _rest(status: dict[str, Any]) -> Iterator[Finding]:
    """The REST API starts after control, and control serves on without it."""
    rest = status.get("rest")
    if not isinstance(rest, dict):
        return
    if not rest.get("ready"):
        says = "the REST API has not started; it takes some seconds"
        yield warning("rest", says, "Run doctor again; if it stays so, look for rest_failed_to_start in serve's log.")
    elif rest.get("failed_tries", 0) >= TRIES_WORTH_A_WORD:
        says = f"{rest['failed_tries']} requests came to the REST API without a good admin token since control started"
        yield warning("rest", says, "The audit log has their addresses (tokens:token:refuse).")
    else:
        yield ok("rest", "the REST API is ready")


def _audit(session: Session) -> Finding:
    try:
        answer = session.ask("audit.verify")
    except Fault as found:
        return fault("audit", f"the audit log cannot be read: {found.text}", "See serve's log.")
    if answer.get("broken_at") is not None:
        return fault(
            "audit",
            f"row {answer['broken_at']} of the audit log does not fit the one before it: it was changed or removed",
            "Compare it with a backup, and find out who can write the database.",
        )
    return ok("audit", f"the audit log is whole: {answer.get('rows')} rows fit")


def _processes(patient: Patient) -> Iterator[Finding]:
    rows = patient.processes.get("processes", [])
    down = [_place(row) for row in rows if row.get("pid") is None]
    if down:
        yield fault("processes", f"not running: {', '.join(down)}", "See serve's log for why it ends; it is retried.")
    elif rows:
        yield ok("processes", f"{len(rows)} processes run under the supervisor")
    flapping = [
        f"{_place(row)} {row['restarts']} times" for row in rows if row.get("restarts", 0) > RESTARTS_WORTH_A_WORD
    ]
    if flapping:
        yield warning("restarts", f"restarted: {', '.join(flapping)}", "See serve's log for why they ended.")


def _place(row: dict[str, Any]) -> str:
    slot = row.get("slot")
    return str(row.get("role")) if slot is None else f"{row.get('role')} {slot}"


def _workers(patient: Patient, status: dict[str, Any]) -> Iterator[Finding]:
    """Behind by a revision for a moment is usual; without a heartbeat a worker refuses after max_silence_s."""
    rows = status.get("workers")
    if not isinstance(rows, list):
        return
    wanted = sum(row.get("role") == "worker" for row in patient.processes.get("processes", []))
    if len(rows) < wanted:
        yield fault("workers", f"control is connected to {len(rows)} of {wanted} workers", "See serve's log.")
    newest = status.get("revision")
    late = [str(row.get("slot")) for row in rows if row.get("revision") != newest]
    if late:
        yield fault(
            "revision",
            f"worker {', '.join(late)} of {len(rows)} does not have the newest revision",
            "Run doctor again; if it stays so, see serve's log and restart it.",
        )
    elif rows:
        yield ok("revision", f"all {len(rows)} workers have revision {newest}")


def _surfaces(patient: Patient) -> Iterator[Finding]:
    """Ask as a load balancer would."""
    try:
        ports = json.loads((patient.data.run / "ports.json").read_bytes())
        places = [(name, ports[f"{name}_addresses"][0], ports[name]) for name in ("gateway", "console")]
    except (OSError, ValueError, KeyError, IndexError):
        yield fault("ports", "the running platform does not say where it listens", "See serve's log; restart it.")
        return
    for name, address, port in places:
        where = authority(address, port)
        spoken = "http" if patient.loaded is None else scheme(getattr(patient.loaded.settings, name))
        answer = _readiness(spoken, where)
        if answer is None:
            yield fault(f"port.{name}", f"nobody answers at {spoken}://{where}/readyz", "See serve's log; restart it.")
        elif answer != HTTPStatus.OK:
            yield fault(f"port.{name}", f"{spoken}://{where}/readyz says {answer}: not ready", "See serve's log.")
        else:
            yield ok(f"port.{name}", f"{name} is ready at {spoken}://{where}")


def _readiness(spoken: str, where: str) -> int | None:
    connection = http.client.HTTPConnection(where, timeout=PATIENCE_S)
    if spoken == "https":
        connection = http.client.HTTPSConnection(where, timeout=PATIENCE_S, context=tls.for_own_readiness())
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
