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
        return self.reader.pass_over()

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
    """The heads of all segments in a folder but those of the checkpoints themselves."""

    def __init__(self, folder: Path, known: Iterable[Head]) -> None:
        self._folder = folder
        self._following: dict[str, _Follower] = {}
        self._known = {head.name: head for head in known}
        """What the last checkpoint said."""
        self._newest: dict[tuple[str, str], str] = {}
        for name in sorted(self._known):
            if (file := place.parse(f"{name}.seg")) is not None:
                self._newest[file.stream] = name

    def scan(self) -> list[Head] | None:
        """All heads for a checkpoint, or None where nothing changed since the last scan."""
        files = [each for each in place.segments(self._folder) if each.writer != place.CHECKPOINTS]
        changed = [head for file in files if (head := self._look_at(file)) is not None]
        if not changed:
            return None
        # A closed segment is said once, but the newest of each writer always: so one checkpoint says where to go on.
        for name in [name for name, head in self._known.items() if head.closed]:
            if name not in self._newest.values():
                del self._known[name]
        for head in changed:
            self._known[head.name] = head
        for file in files:
            if file.name in self._known:
                self._newest[file.stream] = max(file.name, self._newest.get(file.stream, ""))
        return sorted(self._known.values(), key=lambda head: head.name)

    def _look_at(self, file: SegmentFile) -> Head | None:
        """The segment's head, if it is news."""
        known = self._known.get(file.name)
        if known.closed if known is not None else file.name < self._newest.get(file.stream, ""):
            return None
        follower = self._following.get(file.name)
        if follower is None:
            try:
                follower = self._following[file.name] = _Follower(self._folder, file)
            except FileNotFoundError:
                return None  # retention or compression was faster: the next scan sees what is there then
        advanced = follower.advance()
        head = follower.head()
        if not advanced or head is None or (known is not None and known.index >= head.index):
            follower.watch()
            return None
        os.fdatasync(follower.reader.handle)
        if head.closed:
            follower.reader.close()
            del self._following[file.name]
        return head

    def close(self) -> None:
        for follower in self._following.values():
            follower.reader.close()
        self._following.clear()
