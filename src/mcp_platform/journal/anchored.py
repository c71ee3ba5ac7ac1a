"""Checkpoints that somebody keeps elsewhere: how they are written down, and what a folder is worth beside them.

A line is a JSON object; its `record` is the signed checkpoint itself, the rest is for whoever reads it by eye.
"""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mcp_platform.base.errors import Fault, define
from mcp_platform.journal import place
from mcp_platform.journal.findings import Finding, Kind, Report
from mcp_platform.journal.record import Checkpoint, Retained, decode, encode
from mcp_platform.journal.signing import is_signed, read_public_key
from mcp_platform.journal.walk import Anyhow, Walk, Walked

FORMAT: Final = "mcp-platform checkpoint v1"
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
ANCHOR_INVALID = define(
    "anchor_invalid",
    http=422,
    jsonrpc=-31473,
    text="The anchor file cannot be read, or holds no line that `audit anchor` wrote.",
    whose="caller",
)
Progress = Callable[[str, int, int], None]


class Line(msgspec.Struct, frozen=True):
    """One checkpoint as it is kept elsewhere."""

    format: str
    platform: str
    number: int
    time: str
    heads: int
    record: str
    """Base64 of the record."""


class Compared(msgspec.Struct, frozen=True):
    """A folder beside what others kept."""

    report: Report
    checkpoints: int
    """How many were compared."""
    until: int
    """Nanoseconds since the epoch: when the newest of them was signed; 0 where there is none that is valid."""


def line_of(checkpoint: Checkpoint) -> bytes:
    """Without a line break."""
    at = datetime.fromtimestamp(checkpoint.time // 1_000_000_000, UTC)
    return msgspec.json.encode(
        Line(
            FORMAT,
            checkpoint.platform,
            checkpoint.number,
            f"{at:%Y-%m-%dT%H:%M:%SZ}",
            len(checkpoint.heads),
            base64.b64encode(encode(checkpoint)).decode(),
        )
    )


def checkpoint_of(line: bytes) -> Checkpoint:
    """Raises ValueError. Its signature is not looked at. Text before the object is passed over: syslog puts some."""
    start = line.find(b"{")
    try:
        record = decode(base64.b64decode(msgspec.json.decode(line[max(start, 0) :], type=Line).record, validate=True))
    except msgspec.MsgspecError as error:
        raise ValueError("no line of ours") from error
    if not isinstance(record, Checkpoint):
        raise ValueError("no checkpoint")
    return record


@dataclass(slots=True)
class _Kept:
    """What the anchors say."""

    expected: dict[str, dict[int, bytes]] = field(default_factory=dict)
    """Segment name → index → hash."""
    findings: list[Finding] = field(default_factory=list)
    checkpoints: int = 0
    until: int = 0


def compare(data: Path, public_key: Path | None, anchors: list[Path], report: Report, progress: Progress) -> Compared:
    """`report` (of `verify`), with what the anchors speak against.

    Raises Fault(anchor_invalid | journal_key_invalid).
    """
    folder = data / "journal" if (data / "journal").is_dir() else data
    key = read_public_key(public_key or folder.parent / "keys" / "journal.pub")
    kept = _Kept()
    for path in anchors:
        _take(path, key, report.platform, kept)
    found = [*kept.findings, *_beside(folder, key, report.platform, kept, progress)]
    findings = [*found, *report.findings]
    intact = report.intact and not found
    return Compared(msgspec.structs.replace(report, intact=intact, findings=findings), kept.checkpoints, kept.until)


def _take(path: Path, key: Ed25519PublicKey, platform: str, kept: _Kept) -> None:
    good = 0
    for number, line in enumerate(_lines(path), start=1):
        try:
            checkpoint = checkpoint_of(line)
        except ValueError:
            kept.findings.append(_bad(path, number, "is no checkpoint"))
            continue
        if not is_signed(key, checkpoint, checkpoint.platform):
            kept.findings.append(_bad(path, number, "is not signed with this key"))
        elif checkpoint.platform != platform:
            kept.findings.append(_bad(path, number, "is of another platform"))
        else:
            good += 1
            kept.until = max(kept.until, checkpoint.time)
            for head in checkpoint.heads:
                kept.expected.setdefault(head.name, {})[head.index] = head.hash
    if not good and not kept.findings:
        raise Fault(ANCHOR_INVALID)
    kept.checkpoints += good


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES):
                if line.strip():
                    yield line
    except OSError as error:
        raise Fault(ANCHOR_INVALID) from error


def _bad(path: Path, number: int, why: str) -> Finding:
    return Finding(Kind.CHECKPOINT_DAMAGED, path.name, None, None, f"line {number} of the anchor file {why}")


def _beside(folder: Path, key: Ed25519PublicKey, platform: str, kept: _Kept, progress: Progress) -> list[Finding]:
    """What the anchors saw and the folder does not have."""
    files = place.segments(folder)
    total = sum((folder / each.file).stat().st_size for each in files)
    done, removed = 0, dict[tuple[str, str], int]()
    walked: dict[str, Walked] = {}

    def on_record(index: int, record: Anyhow) -> None:
        if isinstance(record, Retained) and is_signed(key, record, platform):
            _note_removed(record, removed)

    for file in files:
        if file.name in kept.expected or file.writer == place.CONTROL:
            walk = Walk(folder / file.file, file.name, kept.expected.get(file.name, {}), on_record, lambda read: None)
            walked[file.name] = walk.run()
        done += (folder / file.file).stat().st_size
        progress(file.name, done, total)
    findings = []
    for name, expected in sorted(kept.expected.items()):
        here = walked.get(name)
        if here is None:
            if not _was_removed(name, removed):
                findings.append(Finding(Kind.SEGMENT_MISSING, name, None, None, "an anchored checkpoint saw it"))
        elif here.mismatch is not None:
            good = max((index for index in expected if index < here.mismatch), default=-1)
            findings.append(
                Finding(Kind.REWRITTEN, name, good + 1, here.mismatch, "an anchored checkpoint saw another")
            )
        elif here.last_index < max(expected):
            findings.append(
                Finding(Kind.RECORDS_CUT, name, here.last_index + 1, max(expected), "an anchored checkpoint saw more")
            )
    return findings


def _note_removed(record: Retained, removed: dict[tuple[str, str], int]) -> None:
    for name, _, _, _ in record.removed:
        file = place.parse(f"{name}.seg")
        if file is not None:
            removed[file.stream] = max(removed.get(file.stream, 0), file.sequence)


def _was_removed(name: str, removed: dict[tuple[str, str], int]) -> bool:
    """Retention takes a writer's segments from the beginning."""
    file = place.parse(f"{name}.seg")
    return file is not None and file.sequence <= removed.get(file.stream, 0)
