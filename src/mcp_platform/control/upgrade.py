"""Brings a folder's database to the newest schema, before anything serves. The caller holds the folder's lock.

Runs in a short-lived process of the supervisor's: it imports what no process that serves should carry.
"""

from mcp_platform.base.config import Settings
from mcp_platform.base.folder import DataFolder
from mcp_platform.store import migrate
from mcp_platform.store.engine import open_sqlite


def run(data: DataFolder, _settings: Settings) -> bytes:
    """The new revision. Raises Fault(schema_newer)."""
    engine = open_sqlite(data.database)
    try:
        migrate.upgrade(engine)
    finally:
        engine.dispose()
    return migrate.head().encode()
