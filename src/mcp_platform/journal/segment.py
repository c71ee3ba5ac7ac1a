"""One segment while it is written: its file, its chain, and how far it is filled with zeros. Knows no loop."""

from pathlib import Path
from typing import Final

from mcp_platform.base import clock
from mcp_platform.journal import place
from mcp_platform.journal.chain import FIRST, MAGIC, frame
from mcp_platform.journal.files import File, Files
from mcp_platform.journal.place import SegmentFile
from mcp_platform.journal.record import Record, encode

FILL_BYTES: Final = 256 * 1024
"""Bytes of zeros written at once: 1 MiB held up the sync it went with by 3-8 ms, 256 KiB by 1 ms (measured)."""


_ZEROS = bytes(FILL_BYTES)


class OpenSegment:
    """A segment file that this process writes."""

    __slots__ = ("began", "closing", "end", "file", "filled", "hash", "id", "name", "next_index", "path")

    def __init__(self, name: SegmentFile, path: Path, file: File) -> None:
        self.name = name
        self.path = path
        self.file = file
        self.id = b""
        """`segment` of its header; empty until it begins."""
        self.end = 0
        """Bytes of what is in it, what is still to be written included."""
        self.filled = 0
        """Bytes of the file that have their place on the disk."""
        self.hash = FIRST
        self.next_index = 0
        self.began = clock.monotonic()
        self.closing: tuple[int, bytes] | None = None
        """The record that closes it and its place, while that must not be written yet."""

    def begin(self, segment: bytes) -> bytes:
        """What every segment file begins with; the header must follow."""
        self.id = segment
        self.began = clock.monotonic()
        self.end = len(MAGIC)
        return MAGIC

    def frame(self, record: Record) -> bytes:
        """The bytes of `record` as the next in the chain."""
        record.index = self.next_index
        framed, self.hash = frame(self.hash, encode(record))
        self.next_index += 1
        self.end += len(framed)
        return framed

    @property
    def room_bytes(self) -> int:
        """Bytes that may still be written and have their place already."""
        return self.filled - self.end

    def write_zeros(self, start: int, end: int) -> None:
        """Give the file its place on the disk. Raises OSError."""
        for at in range(start, end, FILL_BYTES):
            self.file.write(_ZEROS[: end - at], at)


def prepare(files: Files, folder: Path, name: SegmentFile, reserve_bytes: int) -> OpenSegment:
    """A new file under its preliminary name, filled with zeros and synced. Raises OSError, and then leaves nothing."""
    path = folder / name.with_suffix("new").file
    file = files.create(path)
    try:
        segment = OpenSegment(name, path, file)
        segment.write_zeros(0, reserve_bytes)
        segment.filled = reserve_bytes
        file.sync()
    except BaseException:
        file.close()
        files.remove(path)
        raise
    return segment


def next_name(folder: Path, node: str, writer: str, current: OpenSegment | None) -> SegmentFile:
    """The name that follows every one of this writer in `folder`, and that of its current segment."""
    mine = [each for each in place.segments(folder, ("seg", "seg.gz", "new")) if each.stream == (node, writer)]
    known = current.name.sequence if current is not None else 0
    return SegmentFile(node, writer, 1 + max([known, *(each.sequence for each in mine)]))
