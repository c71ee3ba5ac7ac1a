"""One transaction: whole or not at all, durable, alone."""

import re
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from mcp_platform.base.errors import Fault
from mcp_platform.features.identity.tables import PRINCIPALS, add_principal
from mcp_platform.features.rbac.tables import ROLE_GRANTS
from mcp_platform.store import revision
from mcp_platform.store.errors import STORE_BUSY, STORE_FAILED
from mcp_platform.store.schema import PLATFORM, metadata
from mcp_platform.store.unit import Store
from tests.store.databases import opened


def names(store: Store) -> set[str]:
    with store.unit(1.0) as unit:
        return set(unit.connection.execute(select(PRINCIPALS.c.name)).scalars())


def test_what_is_done_before_an_error_is_undone(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store:
        with pytest.raises(ZeroDivisionError), store.unit(1.0) as unit:
            1 / len(add_principal(unit, "ana", "person")[:0])
        assert names(store) == set()
        with store.unit(1.0) as unit:
            add_principal(unit, "ana", "person")
        assert names(store) == {"ana"}


def test_sqlite_is_set_up_for_durability_and_integrity(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store, store.unit(1.0) as unit:
        said = {
            pragma: unit.connection.execute(text(f"PRAGMA {pragma}")).scalar_one()
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        }
    assert said == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "secure_delete": 1,
    }


def test_the_files_are_private(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store, store.unit(1.0) as unit:
        add_principal(unit, "ana", "person")
        files = list(tmp_path.glob("a.db*"))
        assert len(files) == 3
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_path_with_characters_of_a_url_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "a?b#c%20d"
    folder.mkdir()
    with opened(folder / "a.db"):
        assert (folder / "a.db").exists()


def test_a_dangling_reference_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store:
        with pytest.raises(Fault) as caught, store.unit(1.0) as unit:
            unit.connection.execute(
                insert(ROLE_GRANTS).values(role="member", principal_id="prn_nobody", granted_at=1.0)
            )
        assert caught.value.kind is STORE_FAILED
        assert isinstance(caught.value.__cause__, IntegrityError)


def test_two_writers_take_turns(tmp_path: Path) -> None:
    """BEGIN IMMEDIATE: no transaction fails halfway because another wrote in between."""
    with opened(tmp_path / "a.db") as store:

        def bump() -> None:
            for _ in range(20):
                with store.unit(1.0) as unit:
                    revision.bump(unit)

        threads = [threading.Thread(target=bump) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        with store.unit(1.0) as unit:
            assert revision.lock(unit) == 81


def test_a_database_that_another_program_holds_is_told_as_busy(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store:
        with store.engine.begin() as connection:
            connection.execute(text("PRAGMA busy_timeout=50"))
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Fault) as caught, store.unit(1.0):
            pass
        assert caught.value.kind is STORE_BUSY
        other.close()


def test_a_revision_only_grows(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store, store.unit(1.0) as unit:
        assert revision.lock(unit) == 1
        assert revision.bump(unit) == 2
        revision.raise_to(unit, 10)
        assert revision.lock(unit) == 10
        with pytest.raises(AssertionError):
            revision.raise_to(unit, 10)
        assert revision.platform_id(unit) == "plt_test"


def test_no_statement_outside_the_engine_is_sqlites_own() -> None:
    """PostgreSQL must stay possible, and values are always bound. The record's index is another matter: a file of
    SQLite's own that is built anew from the journal; its one hot statement goes to the driver, values bound."""
    source = Path(revision.__file__).parent.parent
    for file in [*source.glob("features/*/*.py"), *source.glob("control/**/*.py"), *source.glob("store/*.py")]:
        code = file.read_text()
        if file.name not in ("engine.py", "ingest_write.py"):
            assert "exec_driver_sql" not in code, file
            assert "PRAGMA" not in code, file
            assert "sqlalchemy.dialects" not in code, file
        assert re.search(r'\btext\((?!"[^"{]*"\))', code) is None, f"{file} makes a statement out of parts"


def test_every_table_and_lock_can_be_said_to_postgresql() -> None:
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect)).startswith("\nCREATE TABLE")
    assert "FOR UPDATE" in str(select(PLATFORM).with_for_update().compile(dialect=dialect))
