"""How a database is opened. The only place that knows which one it is; no SQLite-only statement stands elsewhere.

SQLite runs in WAL with synchronous=FULL, so a commit that returned has reached the disk, and every transaction
begins IMMEDIATE, so it never loses a race for the write lock halfway.
"""

import os
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import URL, Connection, Engine, create_engine, event

BUSY_TIMEOUT_MS = 5000
"""Milliseconds to wait for another writer. SQLite's shell and Django use 5 seconds."""


REBUILDABLE = (
    "synchronous=NORMAL",  # a power cut may take the last commits, never half of one
    "secure_delete=OFF",  # no secret was ever in it
    "cache_size=-65536",  # KiB: an index of a million random keys is touched all over
    "wal_autocheckpoint=8000",  # pages, 32 MiB: the same page is then copied back once, not many times
)


def open_sqlite(path: Path, *, rebuildable: bool = False, begin: str = "BEGIN IMMEDIATE") -> Engine:
    """An engine on the file at `path`, which is made with mode 0600 where it is missing (SQLite gives its WAL the
    same mode). `rebuildable`: what is in it stands elsewhere too, so it need not outlive a power cut. Whoever only
    reads such a file begins with a plain BEGIN, and holds up nobody."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # of a statement that failed: they hold names and sealed secrets, and the error is logged
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: SqliteConnection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; the driver's own timing is too late
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",  # a removed secret leaves no bytes behind in the file
            "trusted_schema=OFF",
            *(REBUILDABLE if rebuildable else ()),
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
