"""One transaction of ingestion: rows, outcomes, and how far each segment was read, all or nothing.

Lives in the thread of ingestion and is the only writer of the index.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mcp_platform.control.ingest_names import CHUNK, Names
from mcp_platform.control.ingest_row import row_of
from mcp_platform.features.audit.index import ROWS, SEGMENTS, WAITING, trace_key
from mcp_platform.features.audit.model import NAMED, Ended, Row, joined
from mcp_platform.journal import place
from mcp_platform.journal.read import Cursor, Entry
from mcp_platform.journal.record import Retained, Unknown


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read of one segment."""

    entries: Sequence[Entry]
    cursor: Cursor
    """After the last of them."""
    closed: bool


@dataclass(slots=True)
class Kept:
    """A segment as the index knows it."""

    id: int
    segment: bytes
    name: str
    cursor: Cursor
    closed: bool
    removed: bool = False


@dataclass(slots=True)
class _Draft:
    """One transaction's work, before it is written."""

    rows: dict[tuple[bytes, int], Row] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    """Outcomes whose call is not among `rows`."""
    joined: dict[tuple[bytes, int], Ended] = field(default_factory=dict)
    """Outcomes that are in their call's row."""
    removed: list[str] = field(default_factory=list)
    """Names of segments that retention removed."""
    records: int = 0


class IndexWriter:
    """Writes batches into the index."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._insert_rows = str(insert(ROWS).compile(engine))
        self.segments: dict[bytes, Kept] = {}
        self.names = Names()
        self._waiting: set[tuple[bytes, int]] = set()
        self._newest = 0
        self._next_segment = 1
        self.newest_time = 0
        """Nanoseconds since the epoch of the newest record."""
        self.damaged = 0
        """Segments of which a part was passed over."""

    def load(self) -> None:
        """Read how far ingestion got."""
        with self._engine.begin() as connection:
            rows = connection.execute(select(SEGMENTS)).all()
            self.segments, self.damaged = {}, sum(row.damaged for row in rows)
            for row in rows:
                cursor = Cursor(row.name, row.segment, row.offset, row.next, row.hash)
                self.segments[row.segment] = Kept(row.id, row.segment, row.name, cursor, row.closed, row.removed)
            waiting = connection.execute(select(WAITING.c.of_segment, WAITING.c.of_index))
            self._waiting = {(row[0], row[1]) for row in waiting}
            self._newest = connection.execute(select(func.max(ROWS.c.id))).scalar() or 0
            self.names.load(connection)
        self._next_segment = 1 + max((each.id for each in self.segments.values()), default=0)
        self.newest_time = max(self.newest_time, self._newest)

    @property
    def gone(self) -> Kept | None:
        """A segment that retention removed and whose rows are still here."""
        return next((each for each in self.segments.values() if each.removed), None)

    @property
    def waiting(self) -> int:
        """Outcomes whose call is not known."""
        return len(self._waiting)

    def forget(self, segment: bytes) -> None:
        """Nothing of the segment is in the index any more, and names may have gone with it."""
        self.segments.pop(segment, None)
        self.names.forget()

    def take_back(self, segment: bytes) -> Cursor:
        """Remove what was taken in of a segment that lost its end in a power cut: it is read anew."""
        kept = self.segments[segment]
        with self._engine.begin() as connection:
            connection.execute(delete(ROWS).where(ROWS.c.segment == kept.id))
            connection.execute(delete(WAITING).where(WAITING.c.segment == kept.id))
            connection.execute(delete(SEGMENTS).where(SEGMENTS.c.id == kept.id))
        self.forget(segment)
        return Cursor(kept.name)

    def write(self, batches: Sequence[Batch]) -> int:
        """Write what was read, once and for all; how many records it was. A failure leaves nothing behind."""
        try:
            return self._write(batches, careful=False)
        except IntegrityError:
            # Two records have the same time and stand in different transactions: find a free id for each.
            self.load()
            return self._write(batches, careful=True)

    def _write(self, batches: Sequence[Batch], *, careful: bool) -> int:
        draft = _Draft()
        for batch in batches:
            self._read(batch, draft)
        with self._engine.begin() as connection:
            kept = [self._keep(connection, batch) for batch in batches]
            waited = self._take_waiting(connection, draft)
            numbers = {each.segment: each.id for each in (*self.segments.values(), *kept)}
            self._insert(connection, draft, numbers, careful=careful)
            still = self._update(connection, draft, numbers)
            gone = self._mark_removed(connection, draft.removed)
        self.segments.update((each.segment, each) for each in kept)
        for each in gone:
            self.segments[each].removed = True
        self._waiting = (self._waiting - waited) | still
        return draft.records

    def _read(self, batch: Batch, draft: _Draft) -> None:
        segment = batch.cursor.segment
        for entry in batch.entries:
            draft.records += 1
            try:
                record = entry.record
            except ValueError:  # whole and chained, yet nothing we know: kept as such
                record = Unknown(index=entry.index)
            found = row_of(record, segment, entry.index)
            if type(found) is Row:
                draft.rows[segment, entry.index] = found
            elif type(found) is Ended:
                self._join(found, draft)
            if isinstance(record, Retained):
                draft.removed += [each[0] for each in record.removed]

    def _join(self, ended: Ended, draft: _Draft) -> None:
        key = (ended.of_segment, ended.of_index)
        row = draft.rows.get(key)
        if row is None:
            draft.ended.append(ended)
        else:
            joined(row, ended)
            draft.joined[key] = ended

    def _keep(self, connection: Connection, batch: Batch) -> Kept:
        """Note how far the segment was read."""
        cursor = batch.cursor
        known = self.segments.get(cursor.segment)
        place_ = {"offset": cursor.offset, "next": cursor.index, "hash": cursor.hash, "closed": batch.closed}
        if known is not None:
            connection.execute(update(SEGMENTS).where(SEGMENTS.c.id == known.id).values(place_))
            return Kept(known.id, known.segment, known.name, cursor, batch.closed, known.removed)
        parsed = place.parse(f"{cursor.name}.seg")
        assert parsed is not None, "a reader opens only what has a segment's name"
        number, self._next_segment = self._next_segment, self._next_segment + 1
        connection.execute(
            insert(SEGMENTS).values(
                id=number,
                segment=cursor.segment,
                name=cursor.name,
                node=parsed.node,
                writer=parsed.writer,
                sequence=parsed.sequence,
                damaged=False,
                removed=False,
                **place_,
            )
        )
        return Kept(number, cursor.segment, cursor.name, cursor, batch.closed)

    def _take_waiting(self, connection: Connection, draft: _Draft) -> set[tuple[bytes, int]]:
        """Outcomes that were here before their call."""
        if not self._waiting:
            return set()
        found = self._waiting & draft.rows.keys()
        numbers = {each.id: each.segment for each in self.segments.values()}
        for key in found:
            here = (WAITING.c.of_segment == key[0]) & (WAITING.c.of_index == key[1])
            row = connection.execute(select(WAITING).where(here)).one()
            ended = Ended(
                numbers.get(row.segment, b""),
                row.number,
                *key,
                row.outcome,
                row.error,
                row.result,
                row.response_bytes,
                row.latency_us,
            )
            joined(draft.rows[key], ended)
            draft.joined[key] = ended
            connection.execute(delete(WAITING).where(here))
        return found

    def _insert(self, connection: Connection, draft: _Draft, numbers: dict[bytes, int], *, careful: bool) -> None:
        if not draft.rows:
            return
        rows = list(draft.rows.values())
        ids = self._free_ids(connection, [row.time for row in rows], careful=careful)
        columns = list(zip(*map(_NAMES_OF, rows), strict=True))
        self.names.number(connection, dict(zip(NAMED, map(set, columns), strict=True)))
        named = [map(self.names.of[name].get, column) for name, column in zip(NAMED, columns, strict=True)]
        endings = [draft.joined.get(key) for key in draft.rows]
        # Column by column, in loops that the interpreter does not see: a third of the time that going row by row takes.
        values = zip(
            ids,
            [numbers[row.segment] for row in rows],
            [row.index for row in rows],
            [trace_key(row.trace) for row in rows],
            *named,
            *zip(*map(_MEASURES_OF, rows), strict=True),
            [None if ended is None else numbers.get(ended.segment) for ended in endings],
            [None if ended is None else ended.index for ended in endings],
            [row.detail or None for row in rows],
            strict=True,
        )
        # Straight to the driver, values bound all the same: going by names costs a third of the whole.
        connection.exec_driver_sql(self._insert_rows, list(values))
        self._newest = max(self._newest, max(ids))
        self.newest_time = max(self.newest_time, self._newest)

    def _free_ids(self, connection: Connection, times: list[int], *, careful: bool) -> list[int]:
        """An id for each: its time, or the next one that is free."""
        taken = _taken(connection, times) if careful else set()
        ids = []
        for time in times:
            while time in taken:
                time += 1
                if careful and time not in taken:
                    taken |= _taken(connection, [time])
            taken.add(time)
            ids.append(time)
        return ids

    def _update(self, connection: Connection, draft: _Draft, numbers: dict[bytes, int]) -> set[tuple[bytes, int]]:
        """Outcomes of calls that an earlier transaction wrote; those whose call is not here yet wait for it."""
        if not draft.ended:
            return set()
        names = ("outcome", "error", "result")
        self.names.number(connection, {name: {getattr(each, name) for each in draft.ended} for name in names})
        still = set()
        for ended in draft.ended:
            number = numbers.get(ended.of_segment)
            done = number is not None and connection.execute(_OUTCOME, self._outcome(ended, number, numbers)).rowcount
            if not done:
                self._wait(connection, ended, numbers)
                still.add((ended.of_segment, ended.of_index))
        return still

    def _outcome(self, ended: Ended, number: int, numbers: dict[bytes, int]) -> dict[str, object]:
        names = self.names.of
        return {
            "of_segment": number,
            "of_index": ended.of_index,
            "new_outcome": names["outcome"].get(ended.outcome),
            "new_error": names["error"].get(ended.error),
            "new_result": names["result"].get(ended.result),
            "new_response_bytes": ended.response_bytes,
            "new_latency_us": ended.latency_us,
            "new_outcome_segment": numbers[ended.segment],
            "new_outcome_index": ended.index,
        }

    def _wait(self, connection: Connection, ended: Ended, numbers: dict[bytes, int]) -> None:
        same = (WAITING.c.of_segment == ended.of_segment) & (WAITING.c.of_index == ended.of_index)
        connection.execute(delete(WAITING).where(same))
        connection.execute(
            insert(WAITING).values(
                of_segment=ended.of_segment,
                of_index=ended.of_index,
                segment=numbers[ended.segment],
                number=ended.index,
                outcome=ended.outcome,
                error=ended.error,
                result=ended.result,
                response_bytes=ended.response_bytes,
                latency_us=ended.latency_us,
            )
        )

    def _mark_removed(self, connection: Connection, names: Iterable[str]) -> list[bytes]:
        """Retention removed these: their rows go, a few at a time (see ingest_retention.py)."""
        gone = set(names)
        found = [each.segment for each in self.segments.values() if each.name in gone and not each.removed]
        for segment in found:
            connection.execute(update(SEGMENTS).where(SEGMENTS.c.id == self.segments[segment].id).values(removed=True))
        return found


_NAMES_OF = attrgetter(*NAMED)
_MEASURES_OF = attrgetter("revision", "request_bytes", "response_bytes", "latency_us", "read_only")
_OUTCOME = (
    update(ROWS)
    .where(ROWS.c.segment == bindparam("of_segment"), ROWS.c.number == bindparam("of_index"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "outcome",
                "error",
                "result",
                "response_bytes",
                "latency_us",
                "outcome_segment",
                "outcome_index",
            )
        }
    )
)


def _taken(connection: Connection, times: Sequence[int]) -> set[int]:
    """Which ids are taken of these and, since neighbours often are too, of those right after the taken ones."""
    found: set[int] = set()
    for at in range(0, len(times), CHUNK):
        found.update(connection.execute(select(ROWS.c.id).where(ROWS.c.id.in_(times[at : at + CHUNK]))).scalars())
    for each in sorted(found):
        if each + 1 not in found:
            after = select(ROWS.c.id).where(ROWS.c.id.between(each + 1, each + CHUNK))
            found.update(connection.execute(after).scalars())
    return found
