"""Appending records: encoded and chained in the loop, written at the end of its turn, synced in one thread for all.

Must never wait for the disk on the loop, never lose a record it took, and never say `synced` of one that is not.
`admit` is what refuses calls; `append` fails only where there is no segment at all.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.journal.disk import Disk, Round
from mcp_platform.journal.errors import JOURNAL_UNAVAILABLE, OUTCOME_NOT_RECORDED
from mcp_platform.journal.files import Files, OsFiles
from mcp_platform.journal.milestone import Milestone
from mcp_platform.journal.options import MARGIN_BYTES, OUTCOME_BYTES, PACE_S, RELAXED_S, RETRY_S, SLOW_S, Options
from mcp_platform.journal.place import NODE
from mcp_platform.journal.position import Position
from mcp_platform.journal.record import Intent, Outcome, Record, Sealed
from mcp_platform.journal.segment import FILL_BYTES, OpenSegment
from mcp_platform.journal.segments import Segments
from mcp_platform.journal.wallclock import WallClock

log = Log(__name__)


class JournalWriter:
    """The one writer of a process. Lives on one event loop."""

    def __init__(
        self,
        folder: Path,
        platform: str,
        writer: str,
        options: Options | None = None,
        *,
        files: Files | None = None,
        wall: WallClock | None = None,
        node: str = NODE,
    ) -> None:
        self.options = options = options or Options()
        files = files or OsFiles()
        self._segments = Segments(folder, platform, node, writer, options.durability, options.reserve_bytes, files)
        self._wall = wall or WallClock()
        self._loop = asyncio.get_running_loop()
        self._kernel = Milestone(self._loop, options.stall_s, OUTCOME_NOT_RECORDED)
        self._synced = Milestone(self._loop, options.stall_s, OUTCOME_NOT_RECORDED)
        self._disk = Disk(self._loop, files, self._on_synced, self._on_done)
        self._buffer: list[tuple[OpenSegment, int, bytes]] = []
        """Framed, with its place in the file, and not in the kernel yet."""
        self._unsynced: list[tuple[OpenSegment, int, bytes]] = []
        """In the kernel and perhaps not on the disk: kept, for a sync that fails loses what was written before it."""
        self._appended = 0
        self._round: Round | None = None
        self._round_began = 0.0
        self._wanted = False
        self._turn = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._write_failed = False
        self._sync_failed = False
        self._full = False
        self._try_again_at = 0.0
        self._said = False
        self._closing = False
        self.open: set[tuple[bytes, int]] = set()
        """Intents of this writer without an outcome, by (segment, index)."""

    def start(self) -> None:
        """Begin the first segment. Where the disk refuses, calls are refused until it does not."""
        self._segments.look_back()
        try:
            self._segments.ready = self._segments.prepare()
            self._begin(self._segments.name_ready(), self._now())
        except OSError as error:
            self._refused("begin", error)
        self._later("tick", 1.0, self._tick)

    # --- appending --------------------------------------------------------------------------------------------------

    def append(self, record: Record) -> Position:
        """Take `record` as the next one. It is in the kernel after `flush`, or at the end of this turn of the loop.

        Raises Fault(journal_unavailable) where there is no segment to write to.
        """
        position = self._take(self._current(), record, self._now())
        if type(record) is Intent:
            self.open.add((position.segment, position.index))
        return position

    def append_outcome(self, outcome: Outcome, of: Position) -> Position:
        """Take the outcome of the intent at `of`. Raises Fault(journal_unavailable)."""
        segment = self._current()
        outcome.intent_segment = None if of.segment == segment.id else of.segment
        outcome.intent_index = of.index
        self.open.discard((of.segment, of.index))
        return self._take(segment, outcome, self._now())

    def _current(self) -> OpenSegment:
        segment = self._segments.current
        if segment is None:
            raise Fault(JOURNAL_UNAVAILABLE, retry_after_s=1)
        return segment

    def _now(self) -> int:
        """The time; a jump of the clock is recorded before whatever asks."""
        now, jump = self._wall.look()
        if jump is not None and self._segments.current is not None:
            self._take(self._segments.current, jump, now)
        return now

    def _take(self, segment: OpenSegment, record: Record, now: int) -> Position:
        if record.time == 0:
            record.time = now
        at = segment.end
        self._buffer.append((segment, at, segment.frame(record)))
        self._appended += 1
        if not self._turn:
            self._turn = True
            self._loop.call_soon(self._end_of_turn)
        return Position(segment.id, record.index, self._appended)

    def _turn_over_if_due(self) -> None:
        """Seal the current segment and go on in the next. Its size is a wish: on any trouble the old one goes on."""
        segments = self._segments
        old = segments.current
        if old is None or segments.ready is None or self._round is not None or self._write_failed or self._closing:
            return
        reason = segments.is_over(self.options.segment_bytes, self.options.segment_age_s)
        if reason and (new := self._named()) is not None:
            self._begin(new, self._now(), reason)

    def _named(self) -> OpenSegment | None:
        try:
            return self._segments.name_ready()
        except OSError as error:
            self._refused("begin", error)
            return None

    def _begin(self, new: OpenSegment, now: int, reason: str = "") -> None:
        beginning = self._segments.begin(new, self.open, now, reason)
        self._buffer.append((new, 0, beginning))
        self._appended += 1
        self.sync_soon()

    # --- how far it got ---------------------------------------------------------------------------------------------

    def admits(self, size_bytes: int) -> bool:
        """True where a new call, whose intent takes `size_bytes`, can be recorded to its end: there is room for its
        outcome and those of all calls under way."""
        segment = self._segments.current
        if segment is None or self._refusing:
            return False
        return segment.room_bytes - (len(self.open) + 1) * OUTCOME_BYTES - MARGIN_BYTES >= size_bytes

    def admit(self, size_bytes: int) -> None:
        """Raises Fault(journal_unavailable) unless it admits."""
        if not self.admits(size_bytes):
            self._kick()
            raise Fault(JOURNAL_UNAVAILABLE, retry_after_s=1)

    @property
    def _refusing(self) -> bool:
        return self._write_failed or self._sync_failed or self._closing or self.stalled

    async def admitted(self, size_bytes: int) -> None:
        """As `admit`, but waits while room is being made. Raises Fault(journal_unavailable)."""
        deadline = clock.monotonic() + self.options.stall_s
        while not self.admits(size_bytes):
            segment = self._segments.current
            hopeless = segment is None or self._refusing or self._full or size_bytes > self.options.reserve_bytes // 2
            if hopeless or clock.monotonic() > deadline:
                raise Fault(JOURNAL_UNAVAILABLE, retry_after_s=1)
            self._kick()
            await asyncio.sleep(PACE_S)

    def flush(self) -> bool:
        """Write what was appended. True when all of it is in the kernel: it outlives this process."""
        if not self._buffer:
            return True
        if not self._may_write():
            return False  # `_on_done` does it
        try:
            for segment, at, data in self._joined():
                segment.file.write(data, at)
                if at + len(data) > segment.filled:
                    segment.filled = at + len(data)
        except OSError as error:
            self._refused("write", error)
            return False
        self._unsynced += self._buffer
        self._buffer = []
        self._write_failed = False
        self._kernel.reach(self._appended)
        if "sync" not in self._timers:
            self._later("sync", RELAXED_S, self.sync_soon)
        return True

    def _may_write(self) -> bool:
        work = self._round
        if work is None:
            return True
        if clock.monotonic() - self._round_began > SLOW_S:
            return False
        # Zeros that are being filled in must not come down on records.
        return work.fill is None or self._buffer[-1][0].room_bytes >= 0

    def _joined(self) -> list[tuple[OpenSegment, int, bytes]]:
        """What is to be written, in as few pieces as there are segments."""
        if len(self._buffer) == 1:
            return self._buffer
        first, last = self._buffer[0], self._buffer[-1]
        if first[0] is last[0]:
            return [(first[0], first[1], b"".join([each[2] for each in self._buffer]))]
        return self._buffer

    async def written(self, position: Position) -> None:
        """Returns when the record is in the kernel. Raises Fault(outcome_not_recorded) when that takes too long."""
        if position.number > self._kernel.reached and not self.flush():
            await self._kernel.wait(position.number)

    async def synced(self, position: Position) -> None:
        """Returns when the record is on the disk. Raises Fault(outcome_not_recorded) when that takes too long."""
        if position.number > self._synced.reached:
            self._wanted = True
            if not self._turn:
                self._turn = True
                self._loop.call_soon(self._end_of_turn)
            await self._synced.wait(position.number)

    def sync_soon(self) -> None:
        """Have everything synced as soon as the thread is free, without waiting for it."""
        self._cancel("sync")
        self._wanted = True
        self.flush()
        self._kick()

    @property
    def stalled(self) -> bool:
        """True while the disk takes longer than it may."""
        return self._round is not None and clock.monotonic() - self._round_began > self.options.stall_s

    # --- the thread's rounds ----------------------------------------------------------------------------------------

    def _end_of_turn(self) -> None:
        self._turn = False
        self.flush()
        if self._wanted:
            self._kick()

    def _kick(self) -> None:
        """Give the thread what there is to do, unless it is at work or worked a moment ago."""
        if self._round is not None:
            return
        now = clock.monotonic()
        pause_s = self._round_began + PACE_S - now
        if pause_s > 0:
            if "pace" not in self._timers:
                self._later("pace", pause_s, self._kick_now)
            return
        work = self._work(now)
        if work is not None:
            self._round, self._round_began = work, now
            self._disk.go(work)

    def _kick_now(self) -> None:
        self._cancel("pace")
        if self._round is None:  # another way to a round may have been quicker; it must not look as old as the machine
            self._round_began = 0.0
            self._kick()

    def _work(self, now: float) -> Round | None:
        segments, options = self._segments, self.options
        work = Round(number=self._kernel.reached)
        if self._wanted:
            self._wanted = bool(self._buffer)
            work.unsynced, self._unsynced = self._unsynced, []
            work.again = self._sync_failed
            work.folder = segments.folder if segments.new_name else None
            if not self._buffer:  # the next segment's beginning is synced in this round, before they are closed
                work.retire, segments.retiring = segments.retiring, []
        if now >= self._try_again_at and not self._closing:
            current = segments.current
            if current is not None and current.room_bytes < options.reserve_bytes:
                start = max(current.end, current.filled)
                work.fill = (current, start, start + FILL_BYTES)
            if segments.wants_ready(options.segment_bytes, options.segment_age_s):
                work.prepare = segments.prepare
        idle = not work.unsynced and not work.retire and work.folder is None
        return None if idle and work.fill is None and work.prepare is None else work

    def _on_synced(self, work: Round) -> None:
        if work.fill is not None and work.fill_error is None:
            work.fill[0].filled = work.fill[2]
        if work.sync_error is not None:
            self._unsynced = work.unsynced + self._unsynced
            self._segments.retiring = work.retire + self._segments.retiring
            self._wanted = self._sync_failed = True
            self._refused("sync", work.sync_error)
            return
        if work.folder is not None:
            self._segments.new_name = False
        self._sync_failed = False
        self._synced.reach(work.number)

    def _on_done(self, work: Round) -> None:
        self._round = None
        error = work.fill_error or work.prepare_error
        if error is not None:
            self._full = True
            self._refused("room", error)
        elif work.fill is not None or work.prepare is not None:
            self._full = False
        if work.prepared is not None:
            self._segments.ready = work.prepared
            begins = self._segments.current is None and not self._closing
            if begins and (new := self._named()) is not None:
                self._begin(new, self._now())
        self._turn_over_if_due()
        self.flush()
        if not self._sync_failed:
            self._kick()

    def _refused(self, what: str, error: OSError) -> None:
        """The disk refused: where records cannot be kept calls are refused too, and it is tried again in a moment."""
        self._write_failed = self._write_failed or what == "write"
        self._try_again_at = clock.monotonic() + RETRY_S
        if "retry" not in self._timers:
            self._later("retry", RETRY_S, self._retry)
        if not self._said:
            self._said = True
            log.error("journal_refused_by_disk", doing=what, reason=error.strerror, errno=error.errno)

    def _retry(self) -> None:
        self._cancel("retry")
        self.flush()
        self._kick()
        if self._said and not self._full and not self._refusing and self._segments.current is not None:
            self._said = False
            log.info("journal_available_again")

    def _tick(self) -> None:
        """Once a second: age, the clock, and whatever was given up for a while."""
        self._later("tick", 1.0, self._tick)
        self._now()
        self._turn_over_if_due()
        if self._said:
            self._retry()
        self._kick()

    def _later(self, name: str, delay_s: float, callback: Callable[[], None]) -> None:
        self._timers[name] = self._loop.call_later(delay_s, callback)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    # --- the end ----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Give open intents the outcome `unknown`, seal the segment and let go, waiting for the disk only so long."""
        segments = self._segments
        current = segments.current
        self._closing = True
        if current is not None:
            for segment, index in sorted(self.open):
                self.append_outcome(Outcome(outcome="unknown", error="stopped"), Position(segment, index, 0))
            last = self.append(Sealed(reason="stop"))
            segments.current = None
            segments.retiring.append(current)
            try:
                await self.synced(last)
            except Fault as fault:
                log.error("journal_not_closed", exc=fault)
        for name in list(self._timers):
            self._cancel(name)
        await asyncio.get_running_loop().run_in_executor(None, self._disk.close, self.options.stall_s)
        segments.give_up()
        self._kernel.close()
        self._synced.close()
