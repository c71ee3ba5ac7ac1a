"""The writer's one thread: everything that waits for the disk happens here, one round at a time, never on the loop."""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mcp_platform.journal.files import Files
from mcp_platform.journal.segment import OpenSegment


@dataclass(slots=True)
class Round:
    """One turn of the thread, and what came of it."""

    number: int = 0
    """Records up to this one are synced when the round ends well."""
    unsynced: list[tuple[OpenSegment, int, bytes]] = field(default_factory=list)
    """What was written since the last good sync, oldest first."""
    again: bool = False
    """True after a sync that failed: all of it is written again first, for the kernel forgets what it could not write
    and reports that once (fsync(2), "EIO")."""
    folder: Path | None = None
    """Synced too where a name in it is new."""
    fill: tuple[OpenSegment, int, int] | None = None
    """Zeros from here to there."""
    retire: list[OpenSegment] = field(default_factory=list)
    """Finished segments: cut to their length and closed."""
    prepare: Callable[[], OpenSegment] | None = None
    prepared: OpenSegment | None = None
    sync_error: OSError | None = None
    fill_error: OSError | None = None
    prepare_error: OSError | None = None


class Disk:
    """Runs rounds in a thread of its own. Lives on one event loop, which is told when each is synced and done."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        files: Files,
        synced: Callable[[Round], None],
        done: Callable[[Round], None],
    ) -> None:
        self._loop = loop
        self._files = files
        self._synced = synced
        self._done = done
        self._rounds: queue.SimpleQueue[Round | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def go(self, work: Round) -> None:
        self._rounds.put(work)

    def _run(self) -> None:
        while (work := self._rounds.get()) is not None:
            self._sync(work)
            self._tell(self._synced, work)
            self._rest(work)
            self._tell(self._done, work)

    def _tell(self, callback: Callable[[Round], None], work: Round) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, work)

    def _sync(self, work: Round) -> None:
        if work.fill is not None:
            segment, start, end = work.fill
            try:
                segment.write_zeros(start, end)
            except OSError as error:
                work.fill_error = error
        try:
            if work.again:
                for segment, at, data in work.unsynced:
                    segment.file.write(data, at)
            # Oldest first, so that no later record is on the disk for sure before an earlier one.
            for segment in dict.fromkeys(each[0] for each in work.unsynced):
                segment.file.sync()
            if work.folder is not None:
                self._files.sync_folder(work.folder)
        except OSError as error:
            work.sync_error = error

    def _rest(self, work: Round) -> None:
        if work.sync_error is None:
            for segment in work.retire:
                retire(segment)
        if work.prepare is not None:
            try:
                work.prepared = work.prepare()
            except OSError as error:
                work.prepare_error = error

    def close(self, timeout_s: float) -> None:
        """Let the thread end after the rounds it has. One that hangs in the disk is left behind with the process."""
        self._rounds.put(None)
        self._thread.join(timeout_s)


def retire(segment: OpenSegment) -> None:
    """Close the segment and give back the place that was filled ahead. Where that fails, control does it."""
    try:
        if segment.closing is not None:
            at, data = segment.closing
            segment.file.write(data, at)
        segment.file.truncate(segment.end)
        segment.file.sync()
    except OSError:
        return
    finally:
        segment.file.close()
