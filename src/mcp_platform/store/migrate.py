"""Brings a database from one form to another. All or nothing: each way is one transaction.

A database whose revision this version does not know is refused, never guessed at.
"""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from mcp_platform.base.errors import Fault
from mcp_platform.store.errors import SCHEMA_NEWER, SCHEMA_OLDER

logging.getLogger("alembic").setLevel(logging.WARNING)  # at `info` it tells of its own parts, eleven lines a start
_FOLDER = Path(__file__).parent / "migrations"
EMPTY = "base"
"""The name of the revision before the first."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def head() -> str:
    """The revision that this version works with."""
    found = _scripts().get_current_head()
    assert found is not None, "there is at least one migration"
    return found


def current(engine: Engine) -> str | None:
    """The database's revision; None where it is empty."""
    with engine.begin() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check(engine: Engine) -> None:
    """Raises Fault(schema_newer | schema_older) unless the database is at `head`."""
    found = current(engine)
    _refuse_unknown(found)
    if found != head():
        raise Fault(SCHEMA_OLDER)


def upgrade(engine: Engine) -> None:
    """To `head`. Raises Fault(schema_newer)."""
    _refuse_unknown(current(engine))
    with engine.begin() as connection:
        command.upgrade(_config(connection), "head")


def downgrade(engine: Engine, revision: str) -> None:
    """To an older revision, or to EMPTY. What the older form has no place for is lost."""
    _refuse_unknown(current(engine))
    with engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def _refuse_unknown(revision: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise Fault(SCHEMA_NEWER)
