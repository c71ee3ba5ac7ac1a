"""After a death: the torn end of a segment is closed with a signed record, and calls left open get `unknown`.

Only control does this, and only to segments whose writer is gone (nobody holds the lock on the file). What is cut off
is kept beside the segment; nothing that was whole is ever removed.
"""

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_platform.base.folder import sync_folder, write_private
from mcp_platform.base.log import Log
from mcp_platform.journal import place
from mcp_platform.journal.chain import frame
from mcp_platform.journal.files import is_alive
from mcp_platform.journal.place import SegmentFile
from mcp_platform.journal.read import Cursor, SegmentReader, closing_of, entries
from mcp_platform.journal.record import Intent, Outcome, Recovered, Segment, encode
from mcp_platform.journal.signing import sign
from mcp_platform.journal.writer import JournalWriter

log = Log(__name__)


@dataclass(slots=True)
class Dead:
    """A segment whose writer died, as it was found."""

    file: SegmentFile
    platform: str = ""
    end: Cursor | None = None
    """After its last whole record; None where not even the header is whole."""
    closed: bool = False
    open: dict[tuple[bytes, int], str] = field(default_factory=dict)
    """(segment, index) of intents without outcome → trace."""
    ended: set[tuple[bytes, int]] = field(default_factory=set)
    """Intents of other segments whose outcome stands here."""


def dead_segments(folder: Path) -> list[SegmentFile]:
    """Segments that are not closed and that no process writes any more."""
    return [
        each
        for each in place.segments(folder, ("seg",))
        if not is_alive(folder / each.file) and closing_of(folder, each.name) is None
    ]


def examine(folder: Path, file: SegmentFile) -> Dead:
    """Read a dead segment up to where it is whole."""
    dead = Dead(file)
    with SegmentReader(folder, Cursor(file.name)) as reader:
        while found := reader.read():
            for entry in found:
                with contextlib.suppress(ValueError):
                    _note(dead, entry.record, entry.index, reader.cursor.segment)
        if reader.cursor.index > 0:
            dead.end = reader.cursor
        dead.closed = reader.closed
    return dead


def _note(dead: Dead, record: object, index: int, segment: bytes) -> None:
    if isinstance(record, Intent):
        dead.open[segment, index] = record.trace
    elif isinstance(record, Outcome):
        dead.open.pop((record.intent_segment or segment, record.intent_index), None)
        if record.intent_segment is not None:
            dead.ended.add((record.intent_segment, record.intent_index))
    elif isinstance(record, Segment):
        dead.platform = record.platform
        dead.open.update(dict.fromkeys(((each[0], each[1]) for each in record.open), ""))


def close(folder: Path, dead: Dead, key: Ed25519PrivateKey) -> Recovered | None:
    """Put the closing record after the last whole one. None where there was no whole header, so nothing to close.

    May be done again after a crash in the middle of it: what was cut off is saved first and never twice.
    """
    path = folder / dead.file.file
    torn = folder / f"{dead.file.name}.torn"
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if dead.end is None:
            _put_aside(handle, path, torn)
            return None
        if dead.closed:
            os.ftruncate(handle, dead.end.offset)
            os.fsync(handle)
            return None
        dropped = _dropped(handle, dead.end.offset, torn)
        recovered = Recovered(
            index=dead.end.index,
            time=time.time_ns(),
            segment=dead.end.segment,
            last_index=dead.end.index - 1,
            last_hash=dead.end.hash,
            dropped_bytes=len(dropped),
            dropped_hash=hashlib.blake2b(dropped, digest_size=32).digest() if dropped else b"",
        )
        sign(key, recovered, dead.platform)
        framed, _ = frame(dead.end.hash, encode(recovered))
        os.pwrite(handle, framed, dead.end.offset)
        os.fsync(handle)
        os.ftruncate(handle, dead.end.offset + len(framed))
        os.fsync(handle)
    finally:
        os.close(handle)
    return recovered


def _dropped(handle: int, at: int, torn: Path) -> bytes:
    """What stands after the last whole record, without the zeros at its end; saved in the file `torn`."""
    if torn.exists():
        return torn.read_bytes()
    size = os.fstat(handle).st_size
    tail = os.pread(handle, max(0, size - at), at).rstrip(b"\x00")
    if tail:
        write_private(torn, tail)
    return tail


def _put_aside(handle: int, path: Path, torn: Path) -> None:
    """A segment that never began: nothing in it was ever promised to anybody."""
    content = os.pread(handle, os.fstat(handle).st_size, 0).rstrip(b"\x00")
    if content and not torn.exists():
        write_private(torn, content)
    path.unlink()
    sync_folder(path.parent)


class Recovery:
    """Control's: looks for dead segments, ends the calls left open in them, closes them."""

    def __init__(self, folder: Path, key: Ed25519PrivateKey, writer: JournalWriter) -> None:
        self._folder = folder
        self._key = key
        self._writer = writer

    async def run(self) -> list[Recovered]:
        """Close whatever is dead now. Outcomes first: done again after a crash in between, it finds them."""
        files: list[SegmentFile] = await asyncio.to_thread(dead_segments, self._folder)
        if not files:
            return []
        said = await asyncio.to_thread(self._said_already)
        found = await asyncio.to_thread(lambda: [examine(self._folder, file) for file in files])
        for dead in found:
            said |= dead.ended  # an intent at the end of one segment has its outcome in the next
        done: list[Recovered] = []
        for dead in found:
            file = dead.file
            await self._end_calls(dead, said)
            recovered = await asyncio.to_thread(close, self._folder, dead, self._key)
            if recovered is not None:
                done.append(recovered)
                log.warning(
                    "journal_recovered",
                    segment=file.name,
                    last_index=recovered.last_index,
                    dropped_bytes=recovered.dropped_bytes,
                    calls_unknown=len(dead.open),
                )
        return done

    async def _end_calls(self, dead: Dead, said: set[tuple[bytes, int]]) -> None:
        last = None
        for (segment, index), trace in dead.open.items():
            if (segment, index) in said:
                continue
            last = self._writer.append(
                Outcome(
                    trace=trace, intent_segment=segment, intent_index=index, outcome="unknown", error="process_died"
                )
            )
            said.add((segment, index))
        if last is not None:
            await self._writer.synced(last)

    def _said_already(self) -> set[tuple[bytes, int]]:
        """Calls that an earlier control, which died while it recovered, ended already: in its last two segments."""
        mine = [each for each in place.segments(self._folder) if each.writer == place.CONTROL]
        return set(_ended(self._folder, mine[-3:]))


def _ended(folder: Path, files: Iterable[SegmentFile]) -> Iterable[tuple[bytes, int]]:
    for file in files:
        for entry in entries(folder, file.name):
            with contextlib.suppress(ValueError):
                record = entry.record
                if isinstance(record, Outcome) and record.intent_segment is not None:
                    yield record.intent_segment, record.intent_index
