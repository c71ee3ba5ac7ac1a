"""`doctor`: look at an installation from outside and from inside, and say what to do about each fault."""

import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any

import click

from mcp_platform.base.errors import Fault
from mcp_platform.cli.exit_codes import ExitCode
from mcp_platform.cli.late import Late
from mcp_platform.cli.output import use_colour
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session

_load = Late("base.config.load")
_finding = Late("cli.checks.finding")
_data_folder = Late("cli.data_folder")
CHECKS = (
    "folder",
    "configuration",
    "encryption",
    "machine",
    "running",
    "record",
    "confinement",
    "upstreams",
    "virtual_servers",
    "issuers",
    "limits",
)
"""Modules of cli/checks, in the order of the report."""
ASKING = ("running", "upstreams", "virtual_servers", "issuers", "limits")
"""Those that ask control for more than its status."""
PATIENCE_S = 5.0
"""Seconds for control to say how it is: it takes milliseconds."""
_COLOURS = {"ok": "32", "warning": "33", "fault": "31"}


@click.command(
    cls=Page,
    examples=["mcp-platform doctor", "mcp-platform doctor --json | jq '.findings[] | select(.level != \"ok\")'"],
    exits=(ExitCode.OK, ExitCode.USAGE, ExitCode.DOCTOR),
)
@with_session
def doctor(session: Session) -> int:
    """Check an installation: folder, keys, settings, machine, processes, servers, issuers, limits.

    ✓ is well, ! is worth knowing, ✗ is a fault; each says what to do. Nothing is changed. Ends with 3 when a fault
    was found.
    """
    patient = _admit(session)
    findings = []
    for finding in _examine(patient, session):
        findings.append(finding)
        _show(session, finding)
    faults = sum(finding.level == "fault" for finding in findings)
    session.out.result(
        {
            "ok": faults == 0,
            "findings": [
                {"check": f.check, "level": str(f.level), "says": f.says, **({"do": f.do} if f.do else {})}
                for f in findings
            ],
        }
    )
    warnings = sum(finding.level == "warning" for finding in findings)
    session.out.line(f"\n{len(findings)} checks, {faults} faults, {warnings} warnings.")
    return ExitCode.DOCTOR if faults else ExitCode.OK


def _admit(session: Session) -> Any:  # noqa: ANN401  # a Patient, whose module is imported late
    """What every check is given."""
    try:
        loaded = _load.load(session.data.config_file)
    except Fault:
        loaded = None
    status = None
    running = _is_running(session)
    if running:
        try:
            status = session.ask("status", silence_s=PATIENCE_S)
        except Fault as found:
            status = {"fault": found.text}
    return _finding.Patient(session.data, loaded, running, status, _read_processes(session))


def _is_running(session: Session) -> bool:
    """Whether somebody holds the data folder's lock."""
    try:
        handle = os.open(session.data.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _read_processes(session: Session) -> dict[str, Any]:
    try:
        found = json.loads((session.data.run / "processes.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _examine(patient: object, session: Session) -> Iterator[Any]:
    for name in CHECKS:
        check = Late(f"cli.checks.{name}")
        if name in ASKING:
            yield from check.examine(patient, session)
        else:
            yield from check.examine(patient)
        if not _data_folder.is_folder(session.data.root):
            return  # nothing else is there to look at


def _show(session: Session, finding: Any) -> None:  # noqa: ANN401  # a Finding, whose module is imported late
    if finding.level == "ok" and session.out.quiet:
        return
    mark = _finding.MARKS[finding.level]
    if use_colour():
        mark = f"\x1b[{_COLOURS[finding.level]}m{mark}\x1b[0m"
    # Printed as it is: `line` would take the colour for an escape sequence of somebody else's.
    if not session.out.as_json:
        print(mark, end=" ", flush=True)
    session.out.line(finding.says)
    if finding.do:
        session.out.line(f"    {finding.do}")
