"""Searching the index: a page of rows for a query, by the condition that leaves the fewest.

Every value of that condition is a run of its index in the order of time; the runs are merged, so a page costs no more
than its rows, however many there are. Reads only; gives up after a while rather than hold a thread.
"""

import heapq
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, literal, not_, or_, select, true
from sqlalchemy.exc import DBAPIError

from mcp_platform.base.errors import Fault
from mcp_platform.features.audit.errors import RECORD_UNAVAILABLE, SEARCH_TOO_WIDE
from mcp_platform.features.audit.index import NAMES, ROWS, SEGMENTS, trace_key, trace_of
from mcp_platform.features.audit.model import IN_FULL_TEXT, INDEXED, NAMED, Row
from mcp_platform.features.audit.query import Query, Term, like

PATIENCE_S: Final = 10.0
"""Seconds a search may take. By an indexed field it takes milliseconds."""
SAMPLE: Final = 5000
"""Rows counted of each condition, to find the one that leaves the fewest."""
MAX_RUNS: Final = 5000
"""Names that a condition may stand for and still be merged; with more, rows are looked through by time."""
CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Span:
    """Which ids to look at, and from which end."""

    low: int
    high: int
    """Not included."""
    oldest_first: bool = False

    @property
    def where(self) -> ColumnElement[bool]:
        return and_(ROWS.c.id >= self.low, ROWS.c.id < self.high)

    @property
    def order(self) -> ColumnElement[Any]:
        return ROWS.c.id.asc() if self.oldest_first else ROWS.c.id.desc()


@dataclass(frozen=True, slots=True)
class _Condition:
    """One thing that must hold: one of these (column, value) is so, or (negated) none."""

    pairs: tuple[tuple[str, object], ...]
    negated: bool = False

    @property
    def is_indexed(self) -> bool:
        names = {name for name, _ in self.pairs}
        return not self.negated and len(self.pairs) <= MAX_RUNS and names <= {*INDEXED, "trace"}

    @property
    def as_filter(self) -> ColumnElement[bool]:
        """To judge a row by that was found otherwise."""
        by_column: dict[str, list[object]] = {}
        for name, value in self.pairs:
            by_column.setdefault(name, []).append(value)
        each = [_among(name, values, negated=self.negated) for name, values in by_column.items()]
        if not each:
            return literal(self.negated)
        return and_(*each) if self.negated else or_(*each)


def _among(name: str, values: list[object], *, negated: bool) -> ColumnElement[bool]:
    column = ROWS.c[name]
    # `+ 0` keeps the database from going by this index: the leading one is in the order that is wanted.
    judged = column if name == "trace" else column + 0
    here = or_(literal(False), *(judged.in_(values[at : at + CHUNK]) for at in range(0, len(values), CHUNK)))
    return or_(column.is_(None), not_(here)) if negated else here


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands in the journal."""

    name: str
    """Of the segment, which is its file's."""
    index: int


@dataclass(frozen=True, slots=True)
class Call:
    """A row of a call, and where its content is to be read."""

    row: Row
    intent: Place
    outcome: Place | None


def page(engine: Engine, query: Query, span: Span, limit: int, actors: dict[str, tuple[str, ...]]) -> list[Row]:
    """Up to `limit` rows. `actors`: ids of principals by what the query calls them. Raises Fault(search_too_wide |
    record_unavailable)."""
    with _asking(engine) as connection:
        return _rows(connection, _found(connection, query, span, limit, actors), span)


def calls(engine: Engine, query: Query, span: Span, limit: int, actors: dict[str, tuple[str, ...]]) -> list[Call]:
    """Up to `limit` calls among what `page` would give."""
    query = msgspec.structs.replace(query, terms=(*query.terms, Term("kind", ("call",))))
    with _asking(engine) as connection:
        ids = _found(connection, query, span, limit, actors)
        places = _places(connection, ids)
        return [Call(row, *places[row.time]) for row in _rows(connection, ids, span)]


def _found(
    connection: Connection, query: Query, span: Span, limit: int, actors: dict[str, tuple[str, ...]]
) -> list[int]:
    conditions = [_condition(connection, term, actors) for term in query.terms]
    conditions += [_word(connection, word, actors) for word in query.words]
    if any(not each.pairs and not each.negated for each in conditions):
        return []
    return _ids(connection, conditions, span, limit)


@contextmanager
def _asking(engine: Engine) -> Iterator[Connection]:
    """A transaction that is given up after a while."""
    try:
        with engine.begin() as connection:
            raw: Any = connection.connection.dbapi_connection
            timer = threading.Timer(PATIENCE_S, raw.interrupt)
            timer.start()
            try:
                yield connection
            finally:
                timer.cancel()
                timer.join()
    except DBAPIError as error:
        raise Fault(SEARCH_TOO_WIDE if "interrupted" in str(error.orig) else RECORD_UNAVAILABLE) from error


# --- conditions -----------------------------------------------------------------------------------------------------


def _condition(connection: Connection, term: Term, actors: dict[str, tuple[str, ...]]) -> _Condition:
    name = term.field
    if name == "revision":
        return _Condition(tuple((name, int(value)) for value in term.values), term.negated)
    if name == "trace":
        return _Condition(tuple((name, trace_key(value)) for value in term.values), term.negated)
    values = term.values
    if name == "principal":
        values = (*values, *(each for value in values for each in actors.get(value, ())))
    return _Condition(tuple((name, number) for number in _numbers(connection, name, values)), term.negated)


def _numbers(connection: Connection, name: str, values: tuple[str, ...]) -> list[int]:
    """Numbers of the names that one of `values` stands for."""
    found: set[int] = set()
    exact = [value for value in values if "*" not in value]
    here = NAMES.c.field == name
    for at in range(0, len(exact), CHUNK):
        some = select(NAMES.c.id).where(here, NAMES.c.value.in_(exact[at : at + CHUNK]))
        found.update(connection.execute(some).scalars())
    for pattern in values:
        if "*" in pattern:
            rows = connection.execute(
                select(NAMES.c.id, NAMES.c.value).where(here, NAMES.c.value.like(_escaped(pattern), escape="\\"))
            )
            found.update(row.id for row in rows if like(pattern, row.value))
    return sorted(found)


def _escaped(pattern: str) -> str:
    return pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")


def _word(connection: Connection, word: str, actors: dict[str, tuple[str, ...]]) -> _Condition:
    """Rows with the word in one of their names."""
    named = select(NAMES.c.field, NAMES.c.id, NAMES.c.value).where(NAMES.c.field.in_(IN_FULL_TEXT))
    # The database knows the small letters of ASCII alone; whatever has others is judged here.
    here: ColumnElement[bool] = NAMES.c.value.op("GLOB")("*[^ -~]*")
    if word.isascii():
        here = or_(here, func.lower(NAMES.c.value).like(f"%{_escaped(word)}%", escape="\\"))
    rows = connection.execute(named.where(here))
    pairs = {(row.field, row.id) for row in rows if like(f"*{word}*", row.value.casefold())}
    pairs |= {("principal", number) for number in _numbers(connection, "principal", actors.get(word, ()))}
    return _Condition(tuple(sorted(pairs)))


# --- finding --------------------------------------------------------------------------------------------------------


def _ids(connection: Connection, conditions: list[_Condition], span: Span, limit: int) -> list[int]:
    leading = _leading(connection, [each for each in conditions if each.is_indexed], span)
    others = and_(true(), *(each.as_filter for each in conditions if each is not leading))
    if leading is None:
        return list(
            connection.execute(select(ROWS.c.id).where(span.where, others).order_by(span.order).limit(limit)).scalars()
        )
    runs = []
    for name, value in leading.pairs:
        run = _having(name, value).where(span.where, others).order_by(span.order).limit(limit)
        runs.append(list(connection.execute(run).scalars()))
    merged = heapq.merge(*runs, reverse=not span.oldest_first)
    found: list[int] = []
    for each in merged:
        if not found or each != found[-1]:
            found.append(each)
        if len(found) == limit:
            break
    return found


def _having(name: str, value: object) -> Select[int]:
    """Ids of the rows with this value, by its index."""
    return select(ROWS.c.id).where(ROWS.c[name] == value)


def _leading(connection: Connection, conditions: list[_Condition], span: Span) -> _Condition | None:
    """The condition that the fewest rows fulfil; None where there is none with an index."""
    best, fewest = None, 0
    for each in conditions:
        count = _count(connection, each, span, SAMPLE if best is None else fewest)
        if best is None or count < fewest:
            best, fewest = each, count
    return best


def _count(connection: Connection, condition: _Condition, span: Span, enough: int) -> int:
    count = 0
    for name, value in condition.pairs:
        some = _having(name, value).where(span.where).limit(enough - count + 1).subquery()
        count += connection.execute(select(func.count()).select_from(some)).scalar_one()
        if count > enough:
            break
    return count


# --- reading --------------------------------------------------------------------------------------------------------


def _rows(connection: Connection, ids: list[int], span: Span) -> list[Row]:
    found: list[Any] = []
    for at in range(0, len(ids), CHUNK):
        found += connection.execute(select(ROWS).where(ROWS.c.id.in_(ids[at : at + CHUNK]))).all()
    names = _names(connection, {getattr(row, name) for row in found for name in NAMED} - {None})
    segments = _segments(connection, {row.segment for row in found})
    rows = [_row(each, names, segments) for each in found]
    return sorted(rows, key=lambda row: row.time, reverse=not span.oldest_first)


def _places(connection: Connection, ids: list[int]) -> dict[int, tuple[Place, Place | None]]:
    """Of the intents and of their outcomes, by the rows' ids."""
    columns = (ROWS.c.id, ROWS.c.segment, ROWS.c.number, ROWS.c.outcome_segment, ROWS.c.outcome_index)
    found: list[Any] = []
    for at in range(0, len(ids), CHUNK):
        found += connection.execute(select(*columns).where(ROWS.c.id.in_(ids[at : at + CHUNK]))).all()
    numbers = {each.segment for each in found} | {each.outcome_segment for each in found}
    segments = connection.execute(select(SEGMENTS.c.id, SEGMENTS.c.name).where(SEGMENTS.c.id.in_(numbers - {None})))
    names = {row.id: row.name for row in segments}
    return {
        each.id: (
            Place(names.get(each.segment, ""), each.number),
            None if each.outcome_segment is None else Place(names.get(each.outcome_segment, ""), each.outcome_index),
        )
        for each in found
    }


def _names(connection: Connection, numbers: set[int]) -> dict[int, str]:
    ordered = sorted(numbers)
    names: dict[int, str] = {}
    for at in range(0, len(ordered), CHUNK):
        rows = connection.execute(select(NAMES.c.id, NAMES.c.value).where(NAMES.c.id.in_(ordered[at : at + CHUNK])))
        names.update((row.id, row.value) for row in rows)
    return names


def _segments(connection: Connection, numbers: set[int]) -> dict[int, bytes]:
    rows = connection.execute(select(SEGMENTS.c.id, SEGMENTS.c.segment).where(SEGMENTS.c.id.in_(numbers)))
    return {row.id: row.segment for row in rows}


def _row(found: Any, names: dict[int, str], segments: dict[int, bytes]) -> Row:  # noqa: ANN401  # a row of SQL
    return Row(
        time=found.id,
        segment=segments.get(found.segment, b""),
        index=found.number,
        trace=trace_of(found.trace),
        revision=found.revision,
        request_bytes=found.request_bytes,
        response_bytes=found.response_bytes,
        latency_us=found.latency_us,
        read_only=found.read_only,
        detail=found.detail or "",
        **{name: names.get(getattr(found, name), "") for name in NAMED},
    )
