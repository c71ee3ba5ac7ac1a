"""How far every stream of segments goes on the disk: followed record by record, each chain checked on the way.

Blocking: control runs it in a thread. What it says has been synced before, so a power cut takes back nothing of it.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from mcp_platform.base import clock
from mcp_platform.base.log import Log
from mcp_platform.journal import place
from mcp_platform.journal.place import SegmentFile
from mcp_platform.journal.read import Cursor, SegmentReader
from mcp_platform.journal.record import Head

log = Log(__name__)
PATIENCE_S = 5.0
"""Seconds that something unreadable may stand at the end of a living segment before it is called damage: a record is
half written for microseconds."""


class _Follower:
    """One segment, followed."""

    def __init__(self, folder: Path, file: SegmentFile) -> None:
        self.file = file
        self.reader = SegmentReader(folder, Cursor(file.name))
        self.suspicious_since: float | None = None

    def advance(self) -> bool:
        """Read on; True where there was more."""
        before = self.reader.cursor.index
        while self.reader.read():
            pass
        return self.reader.cursor.index > before

    def head(self) -> Head | None:
        cursor = self.reader.cursor
        if cursor.index == 0:
            return None
        return Head(cursor.name, cursor.segment, cursor.index - 1, cursor.hash, self.reader.closed)

    def watch(self) -> None:
        """Say once when the end of the segment stays unreadable though something stands there."""
        if not self.reader.something_unreadable():
            self.suspicious_since = None
            return
        now = clock.monotonic()
        if self.suspicious_since is None:
            self.suspicious_since = now
        elif now - self.suspicious_since > PATIENCE_S:
            self.suspicious_since = float("inf")
            log.error("journal_damaged", segment=self.file.name, index=self.reader.cursor.index)


class Heads:
    """The heads of all streams in a folder but that of the checkpoints themselves."""

    def __init__(self, folder: Path, known: Iterable[Head]) -> None:
        self._folder = folder
        self._following: dict[tuple[str, str], _Follower] = {}
        self._known: dict[tuple[str, str], Head] = {}
        """The newest of each stream, as last said."""
        for head in known:
            file = place.parse(f"{head.name}.seg")
            if file is not None and (file.stream not in self._known or self._known[file.stream].name < head.name):
                self._known[file.stream] = head

    def scan(self) -> list[Head] | None:
        """All heads for a checkpoint, or None where nothing changed since the last scan."""
        changed: dict[str, Head] = {}
        for file in place.segments(self._folder):
            if file.writer != place.CHECKPOINTS:
                self._look_at(file, changed)
        if not changed:
            return None
        heads = {head.name: head for head in self._known.values()}
        return sorted((heads | changed).values(), key=lambda head: head.name)

    def _look_at(self, file: SegmentFile, changed: dict[str, Head]) -> None:
        known = self._known.get(file.stream)
        if known is not None and (file.name < known.name or (file.name == known.name and known.closed)):
            return
        follower = self._following.get(file.stream)
        if follower is None or follower.file.name != file.name:
            if follower is not None:
                follower.reader.close()
            try:
                follower = self._following[file.stream] = _Follower(self._folder, file)
            except FileNotFoundError:
                return  # retention or compression was faster: the next scan sees what is there then
        advanced = follower.advance()
        head = follower.head()
        if not advanced or head is None:
            follower.watch()
            return
        if known is not None and known.name == head.name and known.index >= head.index:
            return  # read again after a start, up to where an earlier checkpoint was
        if file.suffix == "seg":
            os.fdatasync(follower.reader.handle)
        self._known[file.stream] = changed[head.name] = head

    def close(self) -> None:
        for follower in self._following.values():
            follower.reader.close()
        self._following.clear()
