"""Reading segments: whole or while they are written, plain or compressed, from any place on.

A record is given out only when it is whole and follows from the one before. Nothing here says why one is not: a
living writer may be in the middle of it; that judgement is recover.py's and verify.py's.
"""

import gzip
import os
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from mcp_platform.journal import place
from mcp_platform.journal.chain import (
    FIRST,
    HASH_BYTES,
    LENGTH,
    MAGIC,
    MAX_BODY_BYTES,
    OVERHEAD_BYTES,
    Frame,
    follow,
)
from mcp_platform.journal.place import SegmentFile
from mcp_platform.journal.record import AnyRecord, Recovered, Sealed, Segment, Unknown, decode

CHUNK_BYTES: Final = 256 * 1024
_CLOSING_BYTES: Final = 2048
"""Bytes in which the record that closes a segment has room several times."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One record as it stands in its segment."""

    index: int
    """Its place by counting; a writer puts the same into the record."""
    body: bytes
    hash: bytes
    offset: int
    """Of its frame, in bytes of the uncompressed file."""

    @property
    def record(self) -> AnyRecord | Unknown:
        """Raises ValueError where the body is no record."""
        return decode(self.body)


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a reader stands in a stream of segments: kept by whoever goes on from there another day."""

    name: str
    """The segment's name."""
    segment: bytes = b""
    """Its id; empty while not even its header was read."""
    offset: int = len(MAGIC)
    """Of the next frame."""
    index: int = 0
    """Of the next record."""
    hash: bytes = FIRST
    """Of the record before."""


class SegmentReader:
    """Reads one segment forwards, and again where it had to stop. Raises FileNotFoundError where there is none."""

    def __init__(self, folder: Path, cursor: Cursor) -> None:
        self.name = cursor.name
        self._file = open_segment(folder, cursor.name)
        self._offset = cursor.offset
        self._index = cursor.index
        self._hash = cursor.hash
        self._segment = cursor.segment
        self._buffer = b""
        self._at = 0
        self.closed = False
        """True once the record that closes the segment was given out: nothing follows."""

    @property
    def cursor(self) -> Cursor:
        """The place after the last record that was given out."""
        return Cursor(self.name, self._segment, self._offset, self._index, self._hash)

    def read(self, max_records: int = 1000) -> list[Entry]:
        """The next records; empty where none is whole yet, or none will ever be."""
        found: list[Entry] = []
        for frame in self._frames():
            size = OVERHEAD_BYTES + len(frame.body)
            found.append(Entry(self._index - 1, frame.body, frame.hash, self._offset - size))
            if len(found) == max_records:
                break
        return found

    def pass_over(self) -> bool:
        """Check all that is there, and stand after it; True where there was something."""
        before = self._index
        for _ in self._frames():
            pass
        return self._index > before

    def _frames(self) -> Iterator[Frame]:
        """What is whole and follows, up to the record that closes the segment. The reader stands after each."""
        if self._index == 0 and not self._magic():
            return
        filled = False
        while not self.closed:
            for frame in follow(self._hash, self._buffer, self._at):
                filled = False
                if self._index == 0:
                    self._segment = _segment_id(frame.body)
                self._offset += frame.end - self._at
                self._at, self._hash = frame.end, frame.hash
                self._index += 1
                self.closed = frame.body[1:2] in _CLOSING_KINDS and is_closing(frame.body)
                yield frame
                if self.closed:
                    return
            if filled:
                self._buffer, self._at = b"", 0
                return
            # What was read before may have been half written then.
            self._fill()
            filled = True

    def _magic(self) -> bool:
        return self._bytes_at(0, len(MAGIC)) == MAGIC

    def _bytes_at(self, offset: int, size: int) -> bytes:
        """What the file has there; less at its end, and nothing where a compressed file is damaged."""
        try:
            self._file.seek(offset)
            return self._file.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            return b""

    def _fill(self) -> None:
        self._buffer, self._at = self._bytes_at(self._offset, CHUNK_BYTES), 0
        if len(self._buffer) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer)
            if CHUNK_BYTES < OVERHEAD_BYTES + length and length <= MAX_BODY_BYTES:
                self._buffer = self._bytes_at(self._offset, OVERHEAD_BYTES + length)

    @property
    def handle(self) -> int:
        """The open file's descriptor."""
        return self._file.fileno()

    def something_unreadable(self) -> bool:
        """True where bytes stand after the last record that was given out: one half written, or damage."""
        return not self.closed and self._bytes_at(self._offset, LENGTH.size).strip(b"\x00") != b""

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "SegmentReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class StreamReader:
    """Reads what one writer writes, from segment to segment. Lives as long as whoever follows."""

    def __init__(self, folder: Path, node: str, writer: str, cursor: Cursor | None = None) -> None:
        self._folder = folder
        self._stream = (node, writer)
        self._reader: SegmentReader | None = None
        self._cursor = cursor

    @property
    def cursor(self) -> Cursor | None:
        """To go on from; None before the first segment."""
        return self._reader.cursor if self._reader is not None else self._cursor

    def read(self, max_records: int = 1000) -> list[Entry]:
        """The next records, all of one segment (see `cursor`); empty where there is none yet."""
        while True:
            if self._reader is None and not self._open():
                return []
            reader = self._reader
            assert reader is not None, "it was opened just now"
            entries = reader.read(max_records)
            if entries or not self._following(reader):
                return entries

    def _open(self) -> bool:
        if self._cursor is None:
            mine = self._mine()
            if not mine:
                return False
            self._cursor = Cursor(mine[0].name)
        try:
            self._reader = SegmentReader(self._folder, self._cursor)
        except FileNotFoundError:
            # Retention was faster than this reader: go on with what is left.
            here = self._cursor.name
            later = [each for each in self._mine() if each.name > here]
            if not later:
                return False
            self._cursor = Cursor(later[0].name)
            return self._open()
        return True

    def _following(self, reader: SegmentReader) -> bool:
        """Go on to the segment after one that is at its end. A dead segment that nobody closed yet is waited for."""
        if not reader.closed and not self._at_end(reader):
            return False
        later = [each for each in self._mine() if each.name > reader.name]
        if not later:
            return False
        reader.close()
        self._reader, self._cursor = None, Cursor(later[0].name)
        return True

    def _at_end(self, reader: SegmentReader) -> bool:
        cursor = reader.cursor
        return cursor.index > 0 and ends_at(self._folder, cursor)

    def _mine(self) -> list[SegmentFile]:
        return [each for each in place.segments(self._folder) if each.stream == self._stream]

    def close(self) -> None:
        if self._reader is not None:
            self._cursor = self._reader.cursor
            self._reader.close()
            self._reader = None


def ends_at(folder: Path, cursor: Cursor) -> bool:
    """True where `cursor` stands after the record that closes the segment."""
    closing = closing_of(folder, cursor.name)
    return closing is not None and closing[1] == cursor.hash


def streams(folder: Path) -> list[tuple[str, str]]:
    """(node, writer) of every stream of which there is a segment."""
    return sorted({each.stream for each in place.segments(folder)})


def entries(folder: Path, name: str) -> Iterator[Entry]:
    """Every record of a segment that is whole and follows, from the header on."""
    with SegmentReader(folder, Cursor(name)) as reader:
        while found := reader.read():
            yield from found


def open_segment(folder: Path, name: str) -> FileIO | gzip.GzipFile:
    """The segment's bytes, decompressed. Raises FileNotFoundError."""
    plain = folder / f"{name}.seg"
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.fdopen(os.open(plain, flags), "rb", buffering=0)
    except FileNotFoundError:
        return gzip.open(folder / f"{name}.seg.gz", "rb")


def header_of(folder: Path, name: str) -> Segment | None:
    """What the segment says it is; None where its beginning is not whole."""
    with SegmentReader(folder, Cursor(name)) as reader:
        found = reader.read(1)
    try:
        record = found[0].record if found else None
    except ValueError:
        return None
    return record if isinstance(record, Segment) else None


def closing_of(folder: Path, name: str) -> tuple[Sealed | Recovered, bytes] | None:
    """The record that closes the segment, and its stored chain hash; None where it was not closed. Not verified."""
    tail = _tail(folder, name)
    for length in range(1, len(tail) - OVERHEAD_BYTES + 1):
        at = len(tail) - OVERHEAD_BYTES - length
        if LENGTH.unpack_from(tail, at)[0] != length:
            continue
        try:
            record = decode(tail[at + LENGTH.size : -HASH_BYTES])
        except ValueError:
            continue
        if isinstance(record, Sealed | Recovered):
            return record, tail[-HASH_BYTES:]
    return None


def _tail(folder: Path, name: str) -> bytes:
    with open_segment(folder, name) as file:
        if isinstance(file, gzip.GzipFile):
            tail = b""
            while chunk := file.read(CHUNK_BYTES):
                tail = (tail + chunk)[-_CLOSING_BYTES:]
            return tail
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _CLOSING_BYTES))
        return file.read(_CLOSING_BYTES)


def is_closing(body: bytes) -> bool:
    """True for the record after which a segment has no other."""
    try:
        return isinstance(decode(body), Sealed | Recovered) if body[1:2] in _CLOSING_KINDS else False
    except ValueError:
        return False


_CLOSING_KINDS = (b"\x08", b"\x09")
"""The second byte of a record's MessagePack, its kind, while an array has fewer than 16 fields."""


def _segment_id(body: bytes) -> bytes:
    try:
        record = decode(body)
    except ValueError:
        return b""
    return record.segment if isinstance(record, Segment) else b""
