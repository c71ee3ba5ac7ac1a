"""One segment, walked from its first byte to its last, whatever has been done to it. Bounded memory, no repair.

What a record says of its own index, and what the record after it follows from, tell a changed record from one that is
gone, moved or added.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mcp_platform.journal.chain import FIRST, LENGTH, MAGIC, MAX_BODY_BYTES, OVERHEAD_BYTES, Frame, chain_hash, frame_at
from mcp_platform.journal.findings import Finding, Kind
from mcp_platform.journal.packed import HEADER_BYTES
from mcp_platform.journal.record import AnyRecord, Recovered, Sealed, Segment, Unknown, decode

CHUNK_BYTES: Final = 64 * 1024
SEARCH_BYTES: Final = 1024 * 1024
"""Bytes that are searched for the next whole record after one whose length was changed."""
_MAY_BEGIN = re.compile(rb"(?=\x00[\x00-\x40][\x00-\xff]{2}[\x94-\x9f\xdc])", re.DOTALL)
"""A length under 4 MiB, then a MessagePack array of at least four: what every frame begins with."""
Anyhow = AnyRecord | Unknown


class Source:
    """A segment file's bytes, decompressed as far as that goes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._packed = path.suffix == ".gz"
        self._inflate = zlib.decompressobj(-15)
        self.window = b""
        self.at = 0
        """Where in the window the next byte stands."""
        self.read_bytes = 0
        if self._packed:
            self._file.seek(HEADER_BYTES)

    def need(self, size: int) -> bool:
        """Have `size` bytes in the window from `at` on; False where there are not so many."""
        if self.at + size <= len(self.window):
            return True
        self.window, self.at = self.window[self.at :], 0
        while len(self.window) < size:
            more = self._more()
            if not more:
                return False
            self.window += more
        return True

    def take(self, size: int) -> None:
        self.at += size

    def rest(self) -> bytes:
        """All of the window from `at` on."""
        return self.window[self.at :]

    def _more(self) -> bytes:
        while True:
            # Small bites where it is compressed: what stands before damage within a bite is lost with it.
            raw = self._file.read(512 if self._packed else CHUNK_BYTES)
            self.read_bytes += len(raw)
            if not raw or not self._packed:
                return raw
            try:
                data = self._inflate.decompress(raw)
            except zlib.error:
                self._file.seek(0, 2)
                return b""
            if data:
                return data

    def close(self) -> None:
        self._file.close()


@dataclass(slots=True)
class Walked:
    """What one segment holds."""

    name: str
    header: Segment | None = None
    last_index: int = -1
    """Of the last record that was read."""
    last_hash: bytes = FIRST
    closing: Sealed | Recovered | None = None
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    mismatch: int | None = None
    """Index of the first expected hash that differs."""


@dataclass(slots=True)
class _Bad:
    """A run of records that cannot be proven."""

    first: int
    last: int
    before: bytes
    """Hash that a true record in the place of the first must follow."""


class Walk:
    """Walks one segment. `expected`: chain hashes by index, as checkpoints saw them."""

    def __init__(
        self,
        path: Path,
        name: str,
        expected: dict[int, bytes],
        on_record: Callable[[int, Anyhow], None],
        on_bytes: Callable[[int], None],
    ) -> None:
        self._source = Source(path)
        self._expected = expected
        self._on_record = on_record
        self._on_bytes = on_bytes
        self._previous = FIRST
        self._next = 0
        self._bad: _Bad | None = None
        self._gone: dict[int, int] = {}
        """First index → last of records that seem to be removed, until they are met elsewhere."""
        self.found = Walked(name)

    def run(self) -> Walked:
        try:
            self._run()
        finally:
            self._source.close()
        self._torn_or_damaged()
        for first, last in self._gone.items():
            self._say(Kind.RECORDS_REMOVED, first, last)
        self.found.bytes = self._source.read_bytes
        self.found.findings.sort(key=lambda finding: finding.index or 0)
        return self.found

    def _run(self) -> None:
        source = self._source
        source.need(len(MAGIC))
        magic = source.rest()[: len(MAGIC)]
        if magic != MAGIC:
            self._wrong_magic(magic)
            if self.found.findings[-1].kind == Kind.FORMAT_UNKNOWN:
                return
        source.take(len(MAGIC))
        while (frame := self._frame()) is not None:
            self._one(frame)
            self._on_bytes(source.read_bytes)
            if self.found.closing is not None:
                break
        self._end()

    def _wrong_magic(self, magic: bytes) -> None:
        if magic[:-1] == MAGIC[:-1] and len(magic) == len(MAGIC):
            self._say(Kind.FORMAT_UNKNOWN, 0, None, f"format {magic[-1]}")
        elif magic.strip(b"\x00"):
            self._say(Kind.DAMAGED, 0, None, "the file does not begin as a segment does")
        else:
            self._say(Kind.TORN_UNRECOVERED, 0, None, "the segment never began")

    def _frame(self) -> Frame | None:
        """The next frame, looked for where none begins here; None at the end."""
        frame = self._here()
        if frame is not None:
            return frame
        source = self._source
        source.need(SEARCH_BYTES)
        start = source.at
        for match in _MAY_BEGIN.finditer(source.window, start):
            found = self._two_at(match.start())
            if found is not None:
                first = self._next
                source.take(match.start() - start)
                upto = index_of(found.body) - 1
                self._mark(first, max(first, upto))
                self._next = max(first, upto) + 1
                self._previous = b""
                return self._here()
        return None

    def _here(self) -> Frame | None:
        return self._frame_after(0)

    def _frame_after(self, skipped: int) -> Frame | None:
        """The frame that begins `skipped` bytes from here, unchecked. Its `end` counts from here, too."""
        source = self._source
        if not source.need(skipped + LENGTH.size):
            return None
        (length,) = LENGTH.unpack_from(source.window, source.at + skipped)
        if not 0 < length <= MAX_BODY_BYTES or not source.need(skipped + OVERHEAD_BYTES + length):
            return None
        found = frame_at(source.window, source.at + skipped)
        return None if found is None else Frame(found.body, found.hash, found.end - source.at)

    def _two_at(self, at: int) -> Frame | None:
        """A frame at `at` of which the one after it follows, or that closes the segment."""
        window = self._source.window
        one = frame_at(window, at)
        if one is None or index_of(one.body) < 0:
            return None
        two = frame_at(window, one.end)
        if two is None:
            return one if is_closing(one.body) and not window[one.end :].strip(b"\x00") else None
        return one if chain_hash(one.hash, two.body) == two.hash else None

    def _one(self, frame: Frame) -> None:
        record = _decoded(frame.body)
        index = -1 if record is None else record.index
        follows = not self._previous or chain_hash(self._previous, frame.body) == frame.hash
        if index == self._next and follows:
            self._good(frame, record)
        elif self._bad and index == self._bad.first and chain_hash(self._bad.before, frame.body) == frame.hash:
            self._say(Kind.RECORD_INSERTED, index)  # the one before was not this record changed, but one too many
            self._bad = None
            self._good(frame, record)
        else:
            self._wrong(frame, record, index)
        self._source.take(frame.end)

    def _good(self, frame: Frame, record: Anyhow | None) -> None:
        self._end_bad()
        self._accept(frame, record)

    def _wrong(self, frame: Frame, record: Anyhow | None, index: int) -> None:
        here = self._next
        after = self._frame_after(frame.end)
        after_index = index_of(after.body) if after is not None else -1
        if index == here or index < 0 or after_index == here + 1:
            self._mark(here, here)
            computed = chain_hash(self._previous, frame.body)
            if index == here:
                self._accept(frame, record)
            self._next = here + 1
            # The record may be changed, or only the hash that stands behind it: what follows from which says so.
            only_hash = after is not None and chain_hash(computed, after.body) == after.hash
            self._previous = computed if only_hash else frame.hash
        elif index > here:
            self._end_bad()
            self._gone[here] = index - 1
            self._accept(frame, record)
        else:
            self._out_of_place(index)

    def _out_of_place(self, index: int) -> None:
        """A record that should have come before: moved here, or a second one."""
        for first, last in list(self._gone.items()):
            if first <= index <= last:
                del self._gone[first]
                if first < index:
                    self._gone[first] = index - 1
                if index < last:
                    self._gone[index + 1] = last
                self._say(Kind.RECORD_REORDERED, index)
                return
        self._say(Kind.RECORD_INSERTED, self._next, None, f"a record of index {index}")

    def _accept(self, frame: Frame, record: Anyhow | None) -> None:
        assert record is not None, "a record that has an index"
        found, index = self.found, record.index
        self._previous, self._next = frame.hash, index + 1
        found.last_index, found.last_hash = index, frame.hash
        expected = self._expected.get(index)
        if expected is not None and expected != frame.hash and found.mismatch is None:
            found.mismatch = index
        if index == 0 and isinstance(record, Segment):
            found.header = record
        if isinstance(record, Sealed | Recovered):
            found.closing = record
        self._on_record(index, record)

    def _mark(self, first: int, last: int) -> None:
        if self._bad is None:
            self._bad = _Bad(first, last, self._previous)
        else:
            self._bad.last = max(self._bad.last, last)

    def _torn_or_damaged(self) -> None:
        """At the end of an open segment, beyond what any checkpoint saw, it is a record half written: the writer died,
        or is in the middle of it."""
        bad = self._bad
        if bad is not None and self.found.closing is None and bad.first > max(self._expected, default=-1):
            self._bad = None
            self.found.last_index = min(self.found.last_index, bad.first - 1)
            if not any(each.kind == Kind.TORN_UNRECOVERED for each in self.found.findings):
                self._say(Kind.TORN_UNRECOVERED, bad.first)
        self._end_bad()

    def _end_bad(self) -> None:
        if self._bad is not None:
            self._say(Kind.DAMAGED, self._bad.first, self._bad.last)
            self._bad = None

    def _end(self) -> None:
        """What stands where no record is any more: zeros, or nothing after the record that closes the segment."""
        source, zeros, rest = self._source, 0, b""
        while source.need(1):
            here = source.rest()
            rest = here.lstrip(b"\x00")
            if rest:
                break
            zeros += len(here)
            source.take(len(here))
        if self.found.closing is not None and (rest or zeros):
            self._say(Kind.RECORD_INSERTED, self._next, None, "bytes after the record that closes the segment")
        elif rest:
            self._say(Kind.TORN_UNRECOVERED, self._next)

    def _say(self, kind: Kind, index: int, upto: int | None = None, detail: str = "") -> None:
        self.found.findings.append(Finding(kind, self.found.name, index, upto, detail))


def _decoded(body: bytes) -> Anyhow | None:
    try:
        return decode(body)
    except ValueError:
        return None


def index_of(body: bytes) -> int:
    """The index that a record says it has; -1 where it is no record."""
    record = _decoded(body)
    return -1 if record is None else record.index


def is_closing(body: bytes) -> bool:
    return isinstance(_decoded(body), Sealed | Recovered)
