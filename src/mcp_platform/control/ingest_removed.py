"""Retention in the index: the rows of segments that the journal no longer holds go, a few at a time."""

from typing import Final

from sqlalchemy import Engine, delete, select

from mcp_platform.control.ingest_write import IndexWriter
from mcp_platform.features.audit.index import NAMES, ROWS, SEGMENTS, WAITING
from mcp_platform.features.audit.model import INDEXED

AT_ONCE: Final = 500
"""Rows in one transaction: a few milliseconds."""


def remove_some(engine: Engine, writer: IndexWriter) -> bool:
    """Remove rows of one removed segment; True where there is more of that to do."""
    gone = writer.gone
    if gone is None:
        return False
    with engine.begin() as connection:
        some = select(ROWS.c.id).where(ROWS.c.segment == gone.id).limit(AT_ONCE)
        ids = list(connection.execute(some).scalars())
        if ids:
            connection.execute(delete(ROWS).where(ROWS.c.id.in_(ids)))
            return True
        connection.execute(delete(WAITING).where(WAITING.c.segment == gone.id))
        connection.execute(delete(SEGMENTS).where(SEGMENTS.c.id == gone.id))
        for name in INDEXED:
            used = select(ROWS.c.id).where(ROWS.c[name] == NAMES.c.id)
            connection.execute(delete(NAMES).where(NAMES.c.field == name, ~used.exists()))
    writer.forget(gone.segment)
    return True
