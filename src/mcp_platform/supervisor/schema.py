"""Reads the schema's revision. Imported in a short-lived child only: no process of the data plane carries SQL."""

import sqlite3

from mcp_platform.base.config import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.supervisor.errors import NOT_INITIALISED


def read(data: DataFolder, _settings: Settings) -> bytes:
    """The revision, empty where no migration has run. Raises Fault(not_initialised)."""
    missing = Fault(NOT_INITIALISED, data={"folder": str(data.root)})
    if not data.database.is_file():
        raise missing
    connection = sqlite3.connect(f"{data.database.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        raise missing from None
    finally:
        connection.close()
    return str(row[0]).encode() if row else b""
