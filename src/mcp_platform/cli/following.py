"""Follows every segment of a journal and puts intents and outcomes together. Reads only."""

import heapq
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from mcp_platform.base import clock
from mcp_platform.control.ingest_row import row_of
from mcp_platform.features.audit.model import Ended, Row, joined
from mcp_platform.features.audit.query import Query, matches
from mcp_platform.journal import place
from mcp_platform.journal.read import Cursor, StreamReader, streams

OPEN_S: Final = 5.0
"""Seconds after which a call without an outcome is shown."""
MAX_OPEN: Final = 100_000
"""Calls without an outcome that are kept in mind; of more, the oldest are forgotten."""


class _Call:
    __slots__ = ("row", "seen", "told")

    def __init__(self, row: Row, now: float) -> None:
        self.row = row
        self.seen = now
        self.told = False


class Follower:
    """One reader of a journal. `begin` once, then `more` again and again."""

    def __init__(self, folder: Path, query: Query, names: dict[str, str]) -> None:
        self._folder = folder
        self._query = query
        self._names = names
        self._readers: dict[tuple[str, str], StreamReader] = {}
        self._open: dict[tuple[bytes, int], _Call] = {}

    def begin(self, last: int) -> list[Row]:
        """Read the newest segment of each writer; the `last` rows of it that the query asks for."""
        newest = {each.stream: each.name for each in place.segments(self._folder)}
        for stream, name in newest.items():
            self._readers[stream] = StreamReader(self._folder, *stream, Cursor(name))
        kept = [deque(self._of(reader), maxlen=last) for reader in self._readers.values()]
        rows = heapq.nlargest(last, (row for rows in kept for row in rows), key=lambda row: row.time)
        return rows[::-1]

    def more(self) -> list[Row]:
        """What came since, in the order of time."""
        for stream in streams(self._folder):
            if stream not in self._readers:
                self._readers[stream] = StreamReader(self._folder, *stream)
        rows = [row for reader in self._readers.values() for row in self._of(reader)]
        return sorted([*rows, *self._long_open()], key=lambda row: row.time)

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()

    def _of(self, reader: StreamReader) -> Iterator[Row]:
        """Rows that are complete and asked for."""
        while entries := reader.read():
            cursor = reader.cursor
            assert cursor is not None, "it was read from"
            for entry in entries:
                try:
                    found = row_of(entry.record, cursor.segment, entry.index)
                except ValueError:
                    continue  # whole and chained, yet nothing that this version knows
                row = self._complete(found)
                if row is not None and self._is_asked_for(row):
                    yield row

    def _complete(self, found: Row | Ended | None) -> Row | None:
        if isinstance(found, Ended):
            call = self._open.pop((found.of_segment, found.of_index), None)
            return None if call is None else joined(call.row, found)
        if found is not None and found.kind == "call":
            if len(self._open) >= MAX_OPEN:
                self._open.pop(next(iter(self._open)))
            self._open[found.segment, found.index] = _Call(found, clock.monotonic())
            return None
        return found

    def _long_open(self) -> Iterator[Row]:
        until = clock.monotonic() - OPEN_S
        for call in self._open.values():
            if call.seen > until:
                break
            if not call.told:
                call.told = True
                if self._is_asked_for(call.row):
                    yield msgspec.structs.replace(call.row)

    def _is_asked_for(self, row: Row) -> bool:
        """By the principal's id or by its name."""
        if matches(self._query, row):
            return True
        name = self._names.get(row.principal)
        return name is not None and matches(self._query, msgspec.structs.replace(row, principal=name))
