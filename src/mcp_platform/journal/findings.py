"""What verification can find, as values: what, where, and whether it speaks against the record."""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What was found."""

    CHECKPOINT_DAMAGED = "checkpoint_damaged"
    DAMAGED = "damaged"
    FORMAT_UNKNOWN = "format_unknown"
    NO_CHECKPOINTS = "no_checkpoints"
    NOT_CLOSED = "not_closed"
    PACKED_ALTERED = "packed_altered"
    RECORDS_CUT = "records_cut"
    RECORDS_REMOVED = "records_removed"
    RECORD_INSERTED = "record_inserted"
    RECORD_REORDERED = "record_reordered"
    RECOVERED = "recovered"
    RETAINED = "retained"
    REWRITTEN = "rewritten"
    SEGMENT_MISPLACED = "segment_misplaced"
    SEGMENT_MISSING = "segment_missing"
    SIGNATURE_INVALID = "signature_invalid"
    TORN_UNRECOVERED = "torn_unrecovered"
    UNANCHORED_TAIL = "unanchored_tail"


MEANING = {
    Kind.CHECKPOINT_DAMAGED: "A checkpoint does not follow from the one before, or its signature does not hold.",
    Kind.DAMAGED: "Records from `index` to `upto` are not as they were written, or follow from such a one.",
    Kind.FORMAT_UNKNOWN: "The segment's format is not one that this version knows; use a newer version.",
    Kind.NO_CHECKPOINTS: "There are records but no checkpoint at all: nothing proves that they are the ones written.",
    Kind.NOT_CLOSED: "The segment has no end: it is still written, or its writer died and control did not run since.",
    Kind.PACKED_ALTERED: "The compressed file is not as it was written, though its records may be.",
    Kind.RECORDS_CUT: "The segment ends before `index`; a checkpoint or the next segment knows records up to `upto`.",
    Kind.RECORDS_REMOVED: "Records from `index` to `upto` are gone from within the segment.",
    Kind.RECORD_INSERTED: "Something that is not of this segment stands before record `index`.",
    Kind.RECORD_REORDERED: "Record `index` does not stand in its place.",
    Kind.RECOVERED: "The writer died after record `index`; control closed the segment and says how much was dropped.",
    Kind.RETAINED: "Segments up to this one were removed by retention; control signed that.",
    Kind.REWRITTEN: "The chain holds, but from `index` on (at the latest `upto`) it is not what a checkpoint saw.",
    Kind.SEGMENT_MISPLACED: "The file's name is not the segment's own, or it is of another platform.",
    Kind.SEGMENT_MISSING: "The segment is not here, and no signed record says that retention removed it.",
    Kind.SIGNATURE_INVALID: "A record that control signs is not signed with this key.",
    Kind.TORN_UNRECOVERED: "From record `index` on stands something that is no whole record; control did not close it.",
    Kind.UNANCHORED_TAIL: "Records from `index` on are newer than the last checkpoint here: chained, but not signed.",
}
NOTES = frozenset({Kind.NOT_CLOSED, Kind.RECOVERED, Kind.RETAINED, Kind.UNANCHORED_TAIL})
"""These do not speak against the record."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was found."""

    kind: Kind
    segment: str
    """Name of the segment."""
    index: int | None = None
    """Of the first record it is about."""
    upto: int | None = None
    """Of the last one, where there is more than one."""
    detail: str = ""

    @property
    def is_note(self) -> bool:
        return self.kind in NOTES

    @property
    def says(self) -> str:
        """What its kind means, with the numbers of this one."""
        text = MEANING[self.kind]
        if self.index is not None:
            last = self.index if self.upto is None else self.upto
            text = text.replace("`index`", str(self.index)).replace("`upto`", str(last))
        return text


class Report(msgspec.Struct, frozen=True):
    """What verification says about a folder."""

    intact: bool
    """True where no finding speaks against the record."""
    key: str
    """`given`, or `folder`: the key came from the folder that it is to prove, so whoever changed one may have changed
    both."""
    platform: str
    segments: int
    records: int
    bytes: int
    checkpoints: int
    anchored_until: int
    """Nanoseconds since the epoch: when the newest valid checkpoint was signed; 0 where there is none."""
    findings: list[Finding]
    more_findings: int
    """Beyond MAX_FINDINGS, only counted."""
