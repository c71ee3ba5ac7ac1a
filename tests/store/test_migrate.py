"""Migrations: up, down, refused; and the same as the tables that the code declares."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select, text

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.features.apikeys.tables import API_KEYS
from mcp_platform.features.audit.tables import AUDIT_LOG
from mcp_platform.features.jwt.tables import ISSUERS
from mcp_platform.features.ratelimit.tables import LIMITS
from mcp_platform.features.rbac.model import MEMBER
from mcp_platform.features.rbac.tables import roles
from mcp_platform.features.tokens.tables import ADMIN_TOKENS
from mcp_platform.features.toolpolicy.tables import TOOL_POLICIES
from mcp_platform.features.upstreams.tables import UPSTREAMS, tools, upstreams
from mcp_platform.features.virtualservers.tables import VIRTUAL_SERVERS
from mcp_platform.store import migrate
from mcp_platform.store.engine import open_sqlite
from mcp_platform.store.errors import SCHEMA_NEWER, SCHEMA_OLDER
from mcp_platform.store.schema import metadata
from tests.store.databases import add_many_keys, opened


def test_the_migrations_make_exactly_the_tables_that_the_code_declares(tmp_path: Path) -> None:
    some = {ADMIN_TOKENS, API_KEYS, AUDIT_LOG, ISSUERS, LIMITS, TOOL_POLICIES, UPSTREAMS, VIRTUAL_SERVERS}
    assert some <= set(metadata.sorted_tables)
    with opened(tmp_path / "a.db") as store, store.engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_empty_database_goes_up_down_and_up_again(tmp_path: Path) -> None:
    engine = open_sqlite(tmp_path / "a.db")
    assert migrate.current(engine) is None
    migrate.upgrade(engine)
    assert migrate.current(engine) == migrate.head()
    migrate.downgrade(engine, migrate.EMPTY)
    with engine.begin() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    migrate.upgrade(engine)
    migrate.check(engine)
    engine.dispose()


def test_data_stays_when_a_migrated_database_is_upgraded_again(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store:
        with store.unit(1.0) as unit:
            add_many_keys(unit, 10)
        migrate.upgrade(store.engine)
        with store.unit(1.0) as unit:
            assert len(unit.connection.execute(select(API_KEYS)).all()) == 10


def test_a_database_with_data_goes_down_too(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store:
        with store.unit(1.0) as unit:
            add_many_keys(unit, 10)
        migrate.downgrade(store.engine, migrate.EMPTY)
        assert migrate.current(store.engine) is None


def test_a_schema_from_the_future_is_refused_and_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store:
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for attempt in (migrate.check, migrate.upgrade, lambda engine: migrate.downgrade(engine, migrate.EMPTY)):
            with pytest.raises(Fault) as caught:
                attempt(store.engine)
            assert caught.value.kind is SCHEMA_NEWER
        assert migrate.current(store.engine) == "9999"


def test_a_schema_from_the_past_is_told_apart(tmp_path: Path) -> None:
    engine = open_sqlite(tmp_path / "a.db")
    with pytest.raises(Fault) as caught:
        migrate.check(engine)
    assert caught.value.kind is SCHEMA_OLDER
    engine.dispose()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """DDL is inside the transaction: a table in the way stops the whole migration."""
    engine = open_sqlite(tmp_path / "a.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE audit_log (x INTEGER)"))
    with pytest.raises(Exception, match="audit_log"):
        migrate.upgrade(engine)
    with engine.begin() as connection:
        assert inspect(connection).get_table_names() == ["audit_log"]
    engine.dispose()


def test_every_migration_can_be_told_by_its_file_name() -> None:
    """The supervisor reads which schemas we know from the names, without loading SQL."""
    folder = Path(migrate.__file__).parent / "migrations" / "versions"
    named = {file.stem.partition("_")[0] for file in folder.glob("[0-9]*.py")}
    assert named == {script.revision for script in migrate._scripts().walk_revisions()}


def test_a_platform_of_before_prompts_goes_on_with_all_it_had(tmp_path: Path) -> None:
    """0006: servers are as they were, not listed yet; who could do everything still can, nobody else can more."""
    with opened(tmp_path / "a.db") as store:
        migrate.downgrade(store.engine, "0005")
        with store.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO upstreams (id, name, transport, url, access, version, has_credentials, interactive, "
                    "enabled, era, created_at) VALUES ('ups_a', 'a', 'http', 'http://127.0.0.1:1/', x'00', 1, 0, 1, 1, "
                    "'legacy', 1.0)"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO upstream_tools (upstream_id, name, exposed, definition, definition_hash, input_schema,"
                    " approved_at) VALUES ('ups_a', 't', 't', x'7b7d', 'h', x'7b7d', 1.0)"
                )
            )
            connection.execute(
                text("INSERT INTO roles (name, rules, built_in, created_at) VALUES ('mine', '[\"*/*\"]', 0, 1.0)")
            )
            assert connection.execute(text("SELECT rules FROM roles WHERE name = 'member'")).scalar() == '["*/*"]'
        migrate.upgrade(store.engine)
        with store.unit(1.0) as unit:
            (row,) = upstreams(unit, Upstreams())
            assert (row.name, row.capabilities, row.stale, row.instructions) == ("a", b"{}", "", "")
            assert [tool.name for tool in tools(unit, "ups_a")] == ["t"]
            assert {role.name: role.rules for role in roles(unit)} == {"member": MEMBER.rules, "mine": ("*/*",)}
