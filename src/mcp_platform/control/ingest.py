"""Ingestion: takes what the journal holds into the searchable index, exactly once, in a thread of control.

It follows every writer's segments, live ends included. Where it stands is kept in the same transaction as the rows,
so it may be killed anywhere. It only reads the journal; the index can be removed and is then built anew.
"""

import asyncio
import fcntl
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, update
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from mcp_platform.base import clock
from mcp_platform.base.log import Log
from mcp_platform.control.ingest_removed import remove_some
from mcp_platform.control.ingest_write import Batch, IndexWriter
from mcp_platform.features.audit import index
from mcp_platform.journal import place
from mcp_platform.journal.files import is_alive
from mcp_platform.journal.read import Cursor, StreamReader, closing_of, header_of, is_closing, streams

_log = Log("control.ingest")
Stream = tuple[str, str]
MAX_RECORDS: Final = 10_000
"""Records in one transaction: about 0.3 s and 15 MiB. Searches go on meanwhile; changes are in another file. A page of
the index is written once for each transaction, so 500 records at a time cost twice as much each."""
MIN_OF_STREAM: Final = 500
"""Records of one writer in a transaction, however many writers there are: all take their share of MAX_RECORDS, so that
the newest of each come in side by side."""
PATIENCE_S: Final = 10.0
"""Seconds that something unreadable may stand before a later segment is read instead: control closes what a dead
writer left within a second or two."""
HAND_OVER_S: Final = 0.05
"""Seconds between two looks whether the control before has let go."""
RETRY_S: Final = 1.0
"""Seconds after a failure of the database."""
NICER_BY: Final = 5
"""How far the thread stands back where cores are scarce: calls do not wait for what can be searched. Of a core that a
worker wants whole it has a quarter, more than the record of all that the worker can then serve takes."""


@dataclass(slots=True)
class _Following:
    """One writer's segments."""

    reader: StreamReader
    closed: bool = False
    """True where the last record read closes its segment."""
    stuck_since: float | None = None


@dataclass(slots=True)
class Progress:
    """How far ingestion is. Read by the loop, written by the thread: whole numbers and no more."""

    records: int = 0
    """Taken in since control started."""
    behind: bool = False
    """True while there was more than one transaction took."""
    looked_at: float = field(default_factory=clock.monotonic)
    """When everything there was had been taken in (monotonic)."""
    rate: float = 0.0
    """Records a second of the last transaction that was full."""
    failing: str = ""
    """Kind of the last failure, while it lasts."""
    damaged: int = 0
    """Segments of which a part could not be read."""
    waiting: int = 0
    """Outcomes whose call is not known."""


class Ingestion:
    """Control's. `start` it once; `close` waits for the transaction under way."""

    def __init__(self, folder: Path, path: Path, max_lag_s: float) -> None:
        self._folder = folder
        self._path = path
        self._pause_s = max_lag_s / 2
        self.max_lag_s = max_lag_s
        self.progress = Progress()
        self._following: dict[Stream, _Following] = {}
        self._read_up_to: dict[Stream, tuple[int, bool]] = {}
        """Stream → (sequence, closed) of its newest segment that is in the index."""
        self._engine: Engine | None = None
        self._writer: IndexWriter | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.on_anew: Callable[[], None] = lambda: None
        """Told, in the thread, when the index is opened and may be another file than before."""

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        thread = threading.get_native_id()  # Linux schedules threads, so each has a priority of its own
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + NICER_BY))
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if self._take_turn(lock):
                self._follow()
        finally:
            os.close(lock)

    def _take_turn(self, lock: int) -> bool:
        """One control ingests at a time: two run while one hands over to the next. False where it is to end."""
        while not self._stop.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                self._stop.wait(HAND_OVER_S)
        return False

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                more = self.step()
                self.progress.failing = ""
            except Exception as error:  # the root of a thread: it must outlive a full disk, and be told of
                self._failed(error)
                self._stop.wait(RETRY_S)
                continue
            if not more:
                self._stop.wait(self._pause_s)
        self._let_go()

    def _failed(self, error: Exception) -> None:
        if not self.progress.failing:
            _log.error("ingestion_failed", exc=error)
        self.progress.failing = type(error).__name__
        broken = isinstance(error, DatabaseError) and _is_broken(error)
        self._let_go()
        if broken:
            _log.error("record_index_broken", remedy="it is built anew from the journal")
            index.remove(self._path)

    def _let_go(self) -> None:
        for each in self._following.values():
            each.reader.close()
        self._following = {}
        self._writer = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    # --- work -------------------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """One transaction; True where there is more to do at once. Raises what the disk or the database raises."""
        writer = self._writer or self._open()
        assert self._engine is not None, "opened with its writer"
        began = clock.monotonic()
        batches, more = self._read()
        if batches:
            done = writer.write(batches)
            self.progress.records += done
            if more:
                self.progress.rate = done / max(clock.monotonic() - began, 1e-6)
            for batch in batches:
                self._note(batch.cursor.name, batch.closed)
            more = more or writer.gone is not None
        elif not more:
            more = remove_some(self._engine, writer)
        self.progress.behind = more
        self.progress.waiting = writer.waiting
        if not more:
            self.progress.looked_at = began
        return more

    def _open(self) -> IndexWriter:
        self._engine = index.open_to_write(self._path)
        self.on_anew()
        writer = IndexWriter(self._engine)
        writer.load()
        self._writer = writer
        self._read_up_to = {}
        newest: dict[Stream, Cursor] = {}
        for kept in sorted(writer.segments.values(), key=lambda each: each.name):
            parsed = place.parse(f"{kept.name}.seg")
            if parsed is not None:
                newest[parsed.stream] = kept.cursor
                self._note(kept.name, kept.closed)
        for stream, cursor in newest.items():
            if self._is_lost(cursor):
                cursor = writer.take_back(cursor.segment)
            self._following[stream] = _Following(StreamReader(self._folder, *stream, cursor))
        self.progress.damaged = writer.damaged
        return writer

    def _note(self, name: str, closed: bool) -> None:
        parsed = place.parse(f"{name}.seg")
        assert parsed is not None, "a reader opens only what has a segment's name"
        self._read_up_to[parsed.stream] = (parsed.sequence, closed)

    def _is_lost(self, cursor: Cursor) -> bool:
        """A power cut took records that were read before they were on the disk: the segment is another, or shorter."""
        try:
            header, closing = header_of(self._folder, cursor.name), closing_of(self._folder, cursor.name)
        except FileNotFoundError:
            return False
        if header is None or header.segment != cursor.segment:
            return True
        return closing is not None and closing[0].index + 1 < cursor.index

    def _read(self) -> tuple[list[Batch], bool]:
        """What there is to take in, and whether there is more."""
        for stream in streams(self._folder):
            if stream not in self._following:
                self._following[stream] = _Following(StreamReader(self._folder, *stream))
        batches: list[Batch] = []
        more, left = False, MAX_RECORDS
        share = max(MIN_OF_STREAM, MAX_RECORDS // max(1, len(self._following)))
        for stream, each in self._following.items():
            entries = each.reader.read(min(share, left))
            if not entries:
                self._look_at_stuck(stream, each)
                continue
            each.stuck_since = None
            cursor = each.reader.cursor
            assert cursor is not None, "it was read from"
            each.closed = is_closing(entries[-1].body)
            batches.append(Batch(entries, cursor, each.closed))
            more = more or len(entries) == share or each.closed
            left -= len(entries)
            if left <= 0:
                return batches, True
        return batches, more

    def _look_at_stuck(self, stream: Stream, each: _Following) -> None:
        """Something unreadable in a segment that nobody writes must not keep back what came after it for ever."""
        cursor = each.reader.cursor
        if cursor is None or each.closed:
            return
        later = [file for file in place.segments(self._folder) if file.stream == stream and file.name > cursor.name]
        if not later or is_alive(self._folder / f"{cursor.name}.seg"):
            each.stuck_since = None
            return
        now = clock.monotonic()
        each.stuck_since = each.stuck_since or now
        if now - each.stuck_since < PATIENCE_S:
            return
        each.reader.close()
        if self._is_lost(cursor):
            assert self._writer is not None, "it reads, so it is open"
            following = self._writer.take_back(cursor.segment)
        else:
            _log.error("journal_segment_unreadable", segment=cursor.name, index=cursor.index)
            self._pass_over(cursor)
            following = Cursor(later[0].name)
        each.reader, each.stuck_since = StreamReader(self._folder, *stream, following), None

    def _pass_over(self, cursor: Cursor) -> None:
        assert self._engine is not None, "it reads, so it is open"
        segments = index.SEGMENTS
        with self._engine.begin() as connection:
            here = segments.c.segment == cursor.segment
            connection.execute(update(segments).where(here).values(damaged=True, closed=True))
        self.progress.damaged += 1
        self._note(cursor.name, True)

    # --- what others ask --------------------------------------------------------------------------------------------

    def catch_up(self, told: Callable[[int], None] = lambda records: None) -> None:
        """Take in all there is, in this thread: where nothing else runs. Raises what `step` raises."""
        try:
            while self.step():
                told(self.progress.records)
        finally:
            self._let_go()

    def has(self, name: str) -> bool:
        """True where all of the segment is in the index: retention may remove it."""
        parsed = place.parse(f"{name}.seg")
        if parsed is None:
            return True
        sequence, closed = self._read_up_to.get(parsed.stream, (0, False))
        return sequence > parsed.sequence or (sequence == parsed.sequence and closed)

    def status(self) -> dict[str, object]:
        """For `status` and `doctor`."""
        progress = self.progress
        lag_s = clock.monotonic() - progress.looked_at
        if progress.behind and self._writer is not None:
            lag_s = max(lag_s, time.time() - self._writer.newest_time / 1e9)
        return {
            "records": progress.records,
            "lag_s": round(lag_s, 3),
            "max_lag_s": self.max_lag_s,
            "behind": progress.behind,
            "records_per_s": round(progress.rate),
            "damaged_segments": progress.damaged,
            "outcomes_without_call": progress.waiting,
            "failing": progress.failing,
        }


def _is_broken(error: DatabaseError) -> bool:
    """SQLite says that the file is none of its own any more; a lock or a full disk is no reason to remove it."""
    return isinstance(error, SQLAlchemyError) and any(
        word in str(error.orig) for word in ("malformed", "not a database")
    )
