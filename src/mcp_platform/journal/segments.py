"""The segments of one writer, one after the other: the one that is written, the one prepared, those to be let go."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import mcp_platform
from mcp_platform.base import clock
from mcp_platform.journal.files import Files
from mcp_platform.journal.previous import Previous, previous_of, tidy
from mcp_platform.journal.record import Sealed, Segment
from mcp_platform.journal.segment import OpenSegment, next_name, prepare


@dataclass(slots=True)
class Segments:
    """One writer's. `prepare` may run in another thread; everything else belongs to the writer's loop."""

    folder: Path
    platform: str
    node: str
    writer: str
    durability: str
    reserve_bytes: int
    files: Files
    current: OpenSegment | None = None
    ready: OpenSegment | None = None
    """Prepared to be the next one."""
    retiring: list[OpenSegment] = field(default_factory=list)
    """Finished, to be cut to their length once they are synced."""
    new_name: bool = False
    """True while the folder does not yet hold the current segment's name for sure."""
    follows: Previous | None = None

    def look_back(self) -> None:
        """Find what an earlier life of this writer left."""
        tidy(self.files, self.folder, self.node, self.writer)
        self.follows = previous_of(self.folder, self.node, self.writer)

    def prepare(self) -> OpenSegment:
        """Raises OSError where the disk refuses."""
        while True:
            try:
                name = next_name(self.folder, self.node, self.writer, self.current)
                return prepare(self.files, self.folder, name, self.reserve_bytes)
            except FileExistsError:
                continue  # another life of this writer was faster: it has its name now, and we take the next

    def name_ready(self) -> OpenSegment:
        """Give the prepared segment its name. Raises OSError; then nothing has changed."""
        new = self.ready
        assert new is not None, "only what was prepared gets its name"
        path = self.folder / new.name.file
        self.files.rename(new.path, path)
        new.path = path
        self.ready = None
        self.new_name = True
        return new

    def begin(self, new: OpenSegment, open_intents: set[tuple[bytes, int]], now: int, reason: str) -> bytes:
        """The bytes that `new` begins with; from now on it is the current one.

        The old one's closing record is made but not yet written: a closed segment promises that the next one is on the
        disk and says which calls are open. So it is written once the next one has been synced.
        """
        old = self.current
        if old is not None:
            at = old.end
            old.closing = (at, old.frame(Sealed(time=now, reason=reason)))
            self.follows = Previous(old.id, old.hash)
            self.retiring.append(old)
        self.current = new
        magic = new.begin(os.urandom(16))
        header = Segment(
            time=now,
            platform=self.platform,
            node=self.node,
            writer=self.writer,
            sequence=new.name.sequence,
            segment=new.id,
            previous=self.follows.segment if self.follows else None,
            previous_hash=self.follows.hash if self.follows else None,
            durability=self.durability,
            software=mcp_platform.__version__,
            open=sorted(open_intents),
        )
        return magic + new.frame(header)

    def wants_ready(self, size_bytes: int, age_s: float) -> bool:
        """True when the next segment should be prepared: three quarters of this one are over."""
        if self.ready is not None:
            return False
        current = self.current
        if current is None:
            return True
        return 4 * current.end > 3 * size_bytes or clock.monotonic() - current.began > 0.75 * age_s

    def is_over(self, size_bytes: int, age_s: float) -> str:
        """Why the current segment should be sealed: `size`, `age`, or empty while it should not."""
        current = self.current
        assert current is not None, "asked only of a segment that is written"
        if current.end >= size_bytes:
            return "size"
        return "age" if current.next_index > 1 and clock.monotonic() - current.began > age_s else ""

    def give_up(self) -> None:
        """Let go of what was prepared in vain."""
        if self.ready is not None:
            self.ready.file.close()
            self.files.remove(self.ready.path)
            self.ready = None
