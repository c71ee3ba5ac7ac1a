"""The record: whether it is whole and signed of late, can be searched soon, and is vouched for somewhere else."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok, warning
from mcp_platform.cli.times import distance
from mcp_platform.journal import place
from mcp_platform.journal.files import is_alive
from mcp_platform.journal.read import Cursor, SegmentReader
from mcp_platform.journal.record import Checkpoint
from mcp_platform.journal.signing import is_signed, read_public_key

PATIENCE_S = 3.0
"""Seconds for reading the newest segments: 64 MiB take about one. The whole record is `audit verify`'s."""
NEXT_S = 5.0
"""Seconds that the next checkpoint is waited for; journal.checkpoint_s is 1 unless somebody says otherwise."""
UNSIGNED_S = 30.0
"""Seconds that a record may wait for a checkpoint beyond journal.checkpoint_s, before something is wrong."""


def examine(patient: Patient) -> Iterator[Finding]:
    if not patient.data.journal.is_dir():
        yield ok("record", "there is no record yet: it begins with the first start")
        return
    yield _chains(patient.data.journal)
    yield _signatures(patient)
    status = patient.status or {}
    if isinstance(status.get("record"), dict):
        yield from _index(status["record"])
    yield from _anchors(patient, status.get("anchors"))


def _chains(folder: Path) -> Finding:
    """The newest segment of every writer, from its beginning to what is written now."""
    newest = {each.stream: each for each in place.segments(folder)}
    deadline, records = clock.monotonic() + PATIENCE_S, 0
    for file in newest.values():
        try:
            with SegmentReader(folder, Cursor(file.name)) as reader:
                while (found := reader.read()) and clock.monotonic() < deadline:
                    records += len(found)
                torn = not found and reader.something_unreadable()
        except OSError as error:
            return fault("record.chain", f"segment {file.name} cannot be read: {error.strerror}", "Check the disk.")
        if torn and not is_alive(folder / f"{file.name}.seg"):
            return fault(
                "record.chain",
                f"segment {file.name} is not whole after record {reader.cursor.index - 1}, and nobody writes it",
                "Start the platform, which closes what a crash left; if it stays, run `mcp-platform audit verify`.",
            )
        if found:
            return ok(
                "record.chain", f"the first {records} of the newest records follow from each other (there are more)"
            )
    return ok("record.chain", f"the newest {records} records of {len(newest)} writers follow from each other")


def _signatures(patient: Patient) -> Finding:
    """The last checkpoint, and that it is recent where anything is written."""
    try:
        key = read_public_key(patient.data.keys / "journal.pub")
    except Fault as found:
        return fault("record.signatures", found.text, "Restore DATA/keys/journal.pub from a backup.")
    last = _last_checkpoint(patient.data.journal)
    if last is None:
        return warning("record.signatures", "no checkpoint has been signed yet", "Run doctor again in a minute.")
    if not is_signed(key, last, last.platform):
        return fault(
            "record.signatures",
            f"checkpoint {last.number} is not signed with this platform's key",
            "Run `mcp-platform audit verify` with a public key that was kept elsewhere.",
        )
    age_s = time.time() - last.time / 1e9
    signed = f"checkpoint {last.number} was signed {distance(-age_s)}"
    late = age_s > UNSIGNED_S and _written_since(patient.data.journal, last.time / 1e9 + UNSIGNED_S)
    if patient.running and late and not _signs_on(patient.data.journal, last.number):
        return fault("record.signatures", f"{signed}, and nothing after it is", "See serve's log: the disk may refuse.")
    return ok("record.signatures", signed)


def _signs_on(folder: Path, number: int) -> bool:
    """Whether another checkpoint comes. After a quiet while the first record to wait for one may be of a moment ago:
    `doctor` itself writes some."""
    until = clock.monotonic() + NEXT_S
    while clock.monotonic() < until:
        newest = _last_checkpoint(folder)
        if newest is not None and newest.number > number:
            return True
        time.sleep(0.1)
    return False


def _last_checkpoint(folder: Path) -> Checkpoint | None:
    mine = [each for each in place.segments(folder) if each.writer == place.CHECKPOINTS]
    for file in reversed(mine):
        last = None
        with SegmentReader(folder, Cursor(file.name)) as reader:
            while found := reader.read():
                for entry in found:
                    try:
                        record = entry.record
                    except ValueError:
                        continue
                    last = record if isinstance(record, Checkpoint) else last
        if last is not None:
            return last
    return None


def _written_since(folder: Path, at: float) -> bool:
    """Whether a writer has written since; the checkpoints' own segment does not count."""
    return any(
        each.writer != place.CHECKPOINTS and (folder / each.file).stat().st_mtime > at
        for each in place.segments(folder)
    )


def _index(state: dict[str, Any]) -> Iterator[Finding]:
    if state.get("failing"):
        yield fault(
            "record.search",
            f"what is recorded cannot be taken into the index ({state['failing']}): searches miss the newest",
            "See serve's log; the record itself is not concerned.",
        )
    elif state.get("behind") and state["lag_s"] > state["max_lag_s"]:
        yield warning(
            "record.search",
            f"searches are {state['lag_s']:.0f} s behind; {state['records_per_s']} records a second are taken in",
            "Wait: it catches up. If it does not, the machine is too slow for what it records.",
        )
    elif state["lag_s"] > 5 * state["max_lag_s"]:
        yield fault("record.search", f"nothing was taken in for {state['lag_s']:.0f} s", "See serve's log.")
    else:
        yield ok("record.search", f"what is recorded can be searched within {state['max_lag_s']:g} s")
    if state.get("damaged_segments"):
        yield fault(
            "record.damaged",
            f"{state['damaged_segments']} segments could not be read to their end",
            "Run `mcp-platform audit verify`: it says which records.",
        )


def _anchors(patient: Patient, states: object) -> Iterator[Finding]:
    configured = patient.loaded.settings.journal.anchors if patient.loaded is not None else ()
    if not configured:
        yield warning(
            "record.anchors",
            "NO CHECKPOINT IS KEPT ELSEWHERE: whoever takes over this machine can cut off the record's end unnoticed",
            "Set journal.anchors to a file on another disk, a syslog server or an S3-compatible store.",
        )
        return
    for state in states if isinstance(states, list) else []:
        if state["failing"]:
            yield fault(
                "record.anchors",
                f"checkpoints do not get to {state['place']} (it got as far as: {state['failing']})",
                "See serve's log; try it: mcp-platform audit anchor",
            )
        elif not state["number"]:
            yield warning(
                "record.anchors", f"no checkpoint is at {state['place']} yet", "Run doctor again in a minute."
            )
        else:
            yield ok("record.anchors", f"checkpoint {state['number']} is at {state['place']}")
