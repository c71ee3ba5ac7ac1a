"""Closed segments: compressed, and removed once they are too old or too many, oldest first.

What is removed is said before in a signed record, so that the gap is explained. The newest segment of a writer stays.
Blocking parts run in a thread of control.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_platform.base.folder import sync_folder
from mcp_platform.base.log import Log
from mcp_platform.journal import place
from mcp_platform.journal.files import is_alive
from mcp_platform.journal.packed import pack
from mcp_platform.journal.place import SegmentFile
from mcp_platform.journal.read import closing_of, entries, header_of
from mcp_platform.journal.record import Retained
from mcp_platform.journal.signing import sign
from mcp_platform.journal.writer import JournalWriter

log = Log(__name__)
DAY_S = 86_400.0
Removal = tuple[str, bytes, int, bytes]


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept."""

    max_bytes: int
    max_days: float


def compress(folder: Path) -> list[SegmentFile]:
    """Compress every closed segment that nobody holds open for writing. Raises OSError."""
    done = []
    for each in place.segments(folder, ("seg",)):
        path = folder / each.file
        if not is_alive(path) and closing_of(folder, each.name) is not None:
            pack(path, folder / each.with_suffix("seg.gz").file)
            done.append(each)
    return done


def excess(folder: Path, keep: Keep, now: float, may_go: Callable[[str], bool]) -> list[SegmentFile]:
    """Which segments go: the oldest of all, as long as there is too much or they are too old."""
    files = place.segments(folder)
    newest = {each.stream: each.name for each in files}
    sizes = {each: (folder / each.file).stat() for each in files}
    total = sum(stat.st_size for stat in sizes.values())
    stuck: set[tuple[str, str]] = set()
    gone = []
    for each in sorted(files, key=lambda file: (sizes[file].st_mtime, file)):
        stat = sizes[each]
        if total <= keep.max_bytes and now - stat.st_mtime <= keep.max_days * DAY_S:
            break
        if each.stream in stuck or each.name == newest[each.stream] or each.suffix == "seg" or not may_go(each.name):
            stuck.add(each.stream)  # a stream loses its beginning, never a piece in its middle
            continue
        gone.append(each)
        total -= stat.st_size
    return gone


class Retention:
    """Control's."""

    def __init__(self, folder: Path, platform: str, key: Ed25519PrivateKey, writer: JournalWriter, keep: Keep) -> None:
        self._folder = folder
        self._platform = platform
        self._key = key
        self._writer = writer
        self._keep = keep
        self._last: dict[tuple[str, str], Removal] | None = None
        self.may_go: Callable[[str], bool] = lambda name: True
        """Asked whether a segment may be removed: one that was not ingested yet may not."""

    async def run(self) -> list[str]:
        """Compress, then remove what is too much; the names of what was removed. Raises OSError, Fault."""
        await asyncio.to_thread(compress, self._folder)
        files = await asyncio.to_thread(excess, self._folder, self._keep, time.time(), self.may_go)
        if not files:
            return []
        if self._last is None:
            self._last = await asyncio.to_thread(last_removed, self._folder)
        going = await asyncio.to_thread(lambda: [removal_of(self._folder, file) for file in files])
        last = self._last
        # Each record names the last one removed of every stream, so the newest record alone explains every gap.
        before = [removal for stream, removal in last.items()]
        for file, removal in zip(files, going, strict=True):
            last[file.stream] = removal
        removed = [each for each in before if each not in going] + going
        record = Retained(time=time.time_ns(), removed=removed)
        sign(self._key, record, self._platform)
        await self._writer.synced(self._writer.append(record))
        await asyncio.to_thread(remove, self._folder, files)
        log.info("journal_retention", removed=len(files))
        return [each.name for each in files]


def removal_of(folder: Path, file: SegmentFile) -> Removal:
    header, closing = header_of(folder, file.name), closing_of(folder, file.name)
    segment = header.segment if header is not None else b""
    return (file.name, segment, closing[0].index, closing[1]) if closing is not None else (file.name, segment, 0, b"")


def remove(folder: Path, files: list[SegmentFile]) -> None:
    for each in files:
        (folder / each.file).unlink(missing_ok=True)
        (folder / f"{each.name}.torn").unlink(missing_ok=True)
    sync_folder(folder)


def last_removed(folder: Path) -> dict[tuple[str, str], Removal]:
    """What the newest `retained` record says, by stream."""
    mine = [each for each in place.segments(folder) if each.writer == place.CONTROL]
    for file in reversed(mine):
        newest = None
        for entry in entries(folder, file.name):
            if entry.body[1:2] == b"\x0a" and isinstance(record := entry.record, Retained):
                newest = record
        if newest is not None:
            said: dict[tuple[str, str], Removal] = {}
            for removal in newest.removed:
                parsed = place.parse(f"{removal[0]}.seg")
                if parsed is not None:
                    said[parsed.stream] = removal
            return said
    return {}
