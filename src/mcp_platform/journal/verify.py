"""Verifying a copied folder offline, with nothing but the public key: every segment, every checkpoint, every gap.

Reads only; trusts nothing but the key; memory does not grow with records, only with segments.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mcp_platform.base.errors import Fault
from mcp_platform.journal import place
from mcp_platform.journal.errors import JOURNAL_FOLDER_MISSING
from mcp_platform.journal.findings import Finding, Kind, Report
from mcp_platform.journal.links import check_links
from mcp_platform.journal.packed import is_whole
from mcp_platform.journal.place import SegmentFile
from mcp_platform.journal.record import Checkpoint, Head, Recovered, Retained
from mcp_platform.journal.signing import Signed, is_signed, read_public_key
from mcp_platform.journal.walk import Anyhow, Walk, Walked

MAX_FINDINGS: Final = 10_000
Progress = Callable[[str, int, int], None]
"""Told (segment, bytes done, bytes in all) after each piece."""


@dataclass(slots=True)
class Seen:
    """What the whole folder says, gathered segment by segment."""

    platform: str = ""
    heads: dict[str, Head] = field(default_factory=dict)
    """Newest valid head by segment name."""
    removed: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """Segment name → (segment, last hash) that retention removed, signed."""
    walked: dict[str, Walked] = field(default_factory=dict)
    records: int = 0
    checkpoints: int = 0
    anchored_until: int = 0
    findings: list[Finding] = field(default_factory=list)
    last_checkpoint: Checkpoint | None = None


def verify(data: Path, public_key: Path | None = None, progress: Progress | None = None) -> Report:
    """Verify DIR (a data folder, or its `journal` alone). Without `public_key` the folder's own is taken, which the
    report says. Raises Fault(journal_key_invalid | journal_folder_missing)."""
    folder = data / "journal" if (data / "journal").is_dir() else data
    files = place.segments(folder)
    if not files:
        raise Fault(JOURNAL_FOLDER_MISSING)
    key = read_public_key(public_key or folder.parent / "keys" / "journal.pub")
    seen = _Verification(folder, files, key, progress or (lambda name, done, total: None)).run()
    speaking = [each for each in seen.findings if not each.is_note]
    return Report(
        intact=not speaking,
        key="given" if public_key is not None else "folder",
        platform=seen.platform,
        segments=len(files),
        records=seen.records,
        bytes=sum(each.bytes for each in seen.walked.values()),
        checkpoints=seen.checkpoints,
        anchored_until=seen.anchored_until,
        findings=(speaking + [each for each in seen.findings if each.is_note])[:MAX_FINDINGS],
        more_findings=max(0, len(seen.findings) - MAX_FINDINGS),
    )


class _Verification:
    def __init__(self, folder: Path, files: list[SegmentFile], key: Ed25519PublicKey, progress: Progress) -> None:
        self._folder = folder
        self._files = files
        self._key = key
        self._progress = progress
        self._total = sum((folder / each.file).stat().st_size for each in files)
        self._done = 0
        self.seen = Seen()

    def run(self) -> Seen:
        seen = self.seen
        of_checkpoints = [each for each in self._files if each.writer == place.CHECKPOINTS]
        others = [each for each in self._files if each.writer != place.CHECKPOINTS]
        # Checkpoints first: they say what to expect of the rest.
        for file in of_checkpoints + others:
            self._walk(file)
        if seen.checkpoints == 0 and others:
            self._say(Kind.NO_CHECKPOINTS, others[0].name)
        check_links(self._files, seen.walked, seen.heads, seen.removed, seen.findings)
        return seen

    def _walk(self, file: SegmentFile) -> None:
        path = self._folder / file.file
        seen, base = self.seen, self._done
        if file.suffix == "seg.gz" and not is_whole(path):
            self._say(Kind.PACKED_ALTERED, file.name)
        head = seen.heads.get(file.name)
        expected = {head.index: head.hash} if head is not None else {}
        platform = self._platform_of(file)

        def on_record(index: int, record: Anyhow) -> None:
            seen.records += 1
            if isinstance(record, Checkpoint | Recovered | Retained):
                self._signed(file, platform(), index, record)

        def on_bytes(read: int) -> None:
            self._progress(file.name, base + read, self._total)

        walk = Walk(path, file.name, expected, on_record, on_bytes)
        self._walk_found = walk.found
        found = walk.run()
        self._done = base + found.bytes
        self._progress(file.name, self._done, self._total)
        seen.walked[file.name] = found
        seen.findings += found.findings
        self._belongs(file, found)
        if found.mismatch is not None and not any(not each.is_note for each in found.findings):
            self._say_rewritten(file, path)

    def _platform_of(self, file: SegmentFile) -> Callable[[], str]:
        def platform() -> str:
            header = self._walk_found.header
            return header.platform if header is not None else self.seen.platform

        return platform

    def _belongs(self, file: SegmentFile, found: Walked) -> None:
        """The header says the same as the file's name, and one platform in all."""
        header, seen = found.header, self.seen
        if header is None:
            return
        seen.platform = seen.platform or header.platform
        own = (header.node, header.writer, header.sequence) == (file.node, file.writer, file.sequence)
        if not own or header.platform != seen.platform:
            self._say(Kind.SEGMENT_MISPLACED, file.name, 0)

    def _signed(self, file: SegmentFile, platform: str, index: int, record: Signed) -> None:
        seen = self.seen
        valid = is_signed(self._key, record, platform)
        if isinstance(record, Checkpoint):
            last, seen.last_checkpoint = seen.last_checkpoint, record
            follows = last is None or (record.number == last.number + 1 and record.previous == last.signature)
            if not valid or not follows:
                self._say(Kind.CHECKPOINT_DAMAGED, file.name, index)
            if valid:
                seen.checkpoints += 1
                seen.anchored_until = max(seen.anchored_until, record.time)
                seen.heads.update((head.name, head) for head in record.heads)
        elif not valid:
            self._say(Kind.SIGNATURE_INVALID, file.name, index)
        elif isinstance(record, Retained):
            seen.removed.update((name, (segment, last_hash)) for name, segment, _, last_hash in record.removed)
            if record.removed:
                self._say(Kind.RETAINED, record.removed[-1][0])
        else:
            dropped = f"{record.dropped_bytes} bytes dropped"
            self._say(Kind.RECOVERED, file.name, record.last_index, None, dropped)

    def _say_rewritten(self, file: SegmentFile, path: Path) -> None:
        """The chain was made anew: find the first checkpoint that saw something else."""
        expected = self._all_heads_of(file.name)
        again = Walk(path, file.name, expected, lambda index, record: None, lambda read: None).run()
        upto = again.mismatch if again.mismatch is not None else max(expected)
        good = max((index for index in expected if index < upto), default=-1)
        self._say(Kind.REWRITTEN, file.name, good + 1, upto)

    def _all_heads_of(self, name: str) -> dict[int, bytes]:
        expected: dict[int, bytes] = {}

        def on_record(index: int, record: Anyhow) -> None:
            if isinstance(record, Checkpoint) and is_signed(self._key, record, record.platform):
                expected.update((head.index, head.hash) for head in record.heads if head.name == name)

        for file in self._files:
            if file.writer == place.CHECKPOINTS:
                Walk(self._folder / file.file, file.name, {}, on_record, lambda read: None).run()
        return expected

    def _say(
        self, kind: Kind, segment: str, index: int | None = None, upto: int | None = None, detail: str = ""
    ) -> None:
        self.seen.findings.append(Finding(kind, segment, index, upto, detail))
