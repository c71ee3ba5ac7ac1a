"""How segments hang together: each follows the one before, none is missing, none ends before what was seen of it."""

from mcp_platform.journal import place
from mcp_platform.journal.findings import Finding, Kind
from mcp_platform.journal.place import SegmentFile
from mcp_platform.journal.record import Head, Recovered
from mcp_platform.journal.walk import Walked


def check_links(
    files: list[SegmentFile],
    walked: dict[str, Walked],
    heads: dict[str, Head],
    removed: dict[str, tuple[bytes, bytes]],
    findings: list[Finding],
) -> None:
    """Append what is found to `findings`."""
    missing: set[str] = set()
    for stream in sorted({each.stream for each in files}):
        mine = [each for each in files if each.stream == stream]
        _follow(mine, walked, removed, findings, missing)
    for name in sorted(heads.keys() - walked.keys() - removed.keys() - missing):
        findings.append(Finding(Kind.SEGMENT_MISSING, name, None, None, "a checkpoint saw it"))
    for file in files:
        if file.writer != place.CHECKPOINTS:
            _reach(walked[file.name], heads.get(file.name), findings)


def _follow(
    files: list[SegmentFile],
    walked: dict[str, Walked],
    removed: dict[str, tuple[bytes, bytes]],
    findings: list[Finding],
    missing: set[str],
) -> None:
    """One writer's segments, in their order. While a process hands over to its successor both write, so the segment
    that one follows need not be the one before it by number."""
    gone = {segment: last for segment, last in removed.values()}
    present: dict[bytes, Walked] = {}
    for file in files:
        here = walked[file.name]
        header = here.header
        if header is None:
            continue
        if header.previous is None:
            if present:
                findings.append(Finding(Kind.SEGMENT_MISPLACED, file.name, 0, None, "it says that it is the first"))
        elif header.previous in present:
            before = present[header.previous]
            # A power cut may take the end of a segment and leave the beginning of the next: then control has signed
            # where the older one ends.
            signed_end = isinstance(before.closing, Recovered)
            if header.previous_hash not in (None, before.last_hash) and not signed_end:
                _ends_otherwise(before, findings)
        elif header.previous not in gone or header.previous_hash not in (None, gone[header.previous]):
            name = SegmentFile(file.node, file.writer, max(0, file.sequence - 1)).name
            missing.add(name)
            findings.append(Finding(Kind.SEGMENT_MISSING, name, None, None, f"{file.name} follows it"))
        if here.closing is None:
            why = "" if file is files[-1] else "its writer died, or hands over"
            findings.append(Finding(Kind.NOT_CLOSED, file.name, here.last_index + 1, None, why))
        present[header.segment] = here


def _ends_otherwise(before: Walked, findings: list[Finding]) -> None:
    """The next segment knows another end of this one. Said only where nothing in it explains that."""
    mine = [each for each in findings if each.segment == before.name and not each.is_note]
    if not mine:
        findings.append(
            Finding(Kind.RECORDS_CUT, before.name, before.last_index + 1, None, "the next segment knows another end")
        )


def _reach(here: Walked, head: Head | None, findings: list[Finding]) -> None:
    """What checkpoints saw is there, and what they did not see is said."""
    seen = -1 if head is None else head.index
    whole = here.last_index - 1 if isinstance(here.closing, Recovered) else here.last_index
    if seen > here.last_index or (seen > whole and head is not None and head.hash != here.last_hash):
        findings.append(Finding(Kind.RECORDS_CUT, here.name, whole + 1, seen, "a checkpoint saw more"))
    elif here.last_index > seen:
        findings.append(Finding(Kind.UNANCHORED_TAIL, here.name, seen + 1, here.last_index))
