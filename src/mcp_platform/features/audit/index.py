"""The journal in SQL, in a file of its own: made from the journal alone, and made anew whenever it is gone or odd.

A row's id is its time, so every index is in the order of time without holding it. Names are kept once, as numbers.
Only control/ingest.py writes here.
"""

import contextlib
from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DatabaseError

from mcp_platform.features.audit.model import INDEXED, NAMED
from mcp_platform.store.engine import open_sqlite

FORM: Final = 2
"""Of the tables below. A file of another form is made anew from the journal: there is nothing to migrate."""
_Id = BigInteger().with_variant(Integer, "sqlite")
METADATA = MetaData()

ABOUT = Table("record_about", METADATA, Column("form", Integer, primary_key=True))

SEGMENTS = Table(
    "record_segments",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("segment", LargeBinary(16), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("node", String(32), nullable=False),
    Column("writer", String(65), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),  # of the next frame
    Column("next", BigInteger, nullable=False),  # index of the next record: all before it are here
    Column("hash", LargeBinary(32), nullable=False),  # of the record before
    Column("closed", Boolean, nullable=False),  # nothing follows
    Column("damaged", Boolean, nullable=False),  # something at `offset` could not be read, and was passed over
    Column("removed", Boolean, nullable=False),  # retention removed the segment; its rows go
    Index("record_segments_stream", "node", "writer", "sequence"),
)

NAMES = Table(
    "record_names",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("field", String(16), nullable=False),
    Column("value", Text, nullable=False),
    UniqueConstraint("field", "value"),
)

ROWS = Table(
    "record_rows",
    METADATA,
    Column("id", _Id, primary_key=True, autoincrement=False),  # nanoseconds; the next free one where two are the same
    Column("segment", Integer, nullable=False),  # record_segments.id
    Column("number", BigInteger, nullable=False),  # index in the segment
    Column("trace", LargeBinary, nullable=True),
    *(Column(name, Integer, nullable=True) for name in NAMED),  # record_names.id; null for an empty one
    Column("revision", BigInteger, nullable=False),
    Column("request_bytes", BigInteger, nullable=False),
    Column("response_bytes", BigInteger, nullable=False),
    Column("latency_us", BigInteger, nullable=False),
    Column("read_only", Boolean, nullable=False),
    Column("outcome_segment", Integer, nullable=True),  # where the outcome stands
    Column("outcome_index", BigInteger, nullable=True),
    Column("detail", Text, nullable=True),
    UniqueConstraint("segment", "number"),
)
for _name in (*INDEXED, "trace"):
    # Without nulls: a row is only in the indexes of what it has.
    Index(f"record_rows_{_name}", ROWS.c[_name], sqlite_where=ROWS.c[_name].is_not(None))
WAITING = Table(
    "record_waiting",
    METADATA,
    Column("of_segment", LargeBinary(16), primary_key=True),
    Column("of_index", BigInteger, primary_key=True),
    Column("segment", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),  # index in the segment
    Column("outcome", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("response_bytes", BigInteger, nullable=False),
    Column("latency_us", BigInteger, nullable=False),
)
"""Outcomes whose call is not here yet: another writer wrote it, and is read later."""


def open_to_write(path: Path) -> Engine:
    """The index, ready; made anew where there is none, or one that this version cannot use."""
    engine = open_sqlite(path, rebuildable=True)
    try:
        with engine.begin() as connection:
            known = inspect(connection).has_table(ABOUT.name)
            usable = known and connection.execute(select(ABOUT.c.form)).scalar() == FORM
            empty = not inspect(connection).get_table_names()
    except DatabaseError:
        usable = empty = False
    if usable:
        return engine
    if not empty:
        engine.dispose()
        remove(path)
        engine = open_sqlite(path, rebuildable=True)
    with engine.begin() as connection:
        METADATA.create_all(connection)
        connection.execute(insert(ABOUT).values(form=FORM))
    return engine


def open_to_read(path: Path) -> Engine:
    """Whoever reads sees one moment and holds up nobody."""
    return open_sqlite(path, rebuildable=True, begin="BEGIN")


def remove(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).unlink()


_OTHER: Final = b"=" * 17
"""Before a trace id that is not one of W3C's, which are 16 bytes."""


def trace_key(trace: str) -> bytes | None:
    """A trace id as it is kept: half as long where it is one of W3C's."""
    if not trace:
        return None
    with contextlib.suppress(ValueError):
        short = bytes.fromhex(trace)
        if len(short) == 16 and short.hex() == trace:
            return short
    return _OTHER + trace.encode()


def trace_of(key: bytes | None) -> str:
    if key is None:
        return ""
    return key.hex() if len(key) == 16 else key.removeprefix(_OTHER).decode()
