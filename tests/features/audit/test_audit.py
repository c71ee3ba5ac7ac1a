"""The audit log of control: chained, proven, without secrets."""

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import delete, select, update

from mcp_platform.features.audit.actions import Event, append, recordable, verify_chain
from mcp_platform.features.audit.check import FIRST, Entry, entry_hash
from mcp_platform.features.audit.tables import AUDIT_LOG
from mcp_platform.features.upstreams.actions import ACTIONS, NewServer
from mcp_platform.store.unit import Store
from tests.store.databases import opened


def write(store: Store, count: int) -> None:
    for number in range(count):
        with store.unit(1000.0 + number) as unit:
            append(unit, Event("local:1", "keys:key:create", "ok", target=f"k{number}", params='{"a":1}'))


def test_the_hash_of_an_entry_never_changes() -> None:
    """A golden vector: logs that were written once must verify in every later version."""
    entry = Entry(FIRST, 1, 1000.5, "local:1", "keys:key:create", None, "refused", "forbidden", '{"a":1}', 7)
    assert entry_hash(entry).hex() == "d67154b497cc52b8d682e496d00bf568483b817005c58f0aca2385827438984c"


def test_each_row_carries_the_hash_of_the_one_before(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store:
        write(store, 5)
        with store.unit(1.0) as unit:
            rows = unit.connection.execute(select(AUDIT_LOG).order_by(AUDIT_LOG.c.seq)).all()
            assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
            assert [row.previous for row in rows] == [FIRST, *(row.hash for row in rows[:-1])]
            report = verify_chain(unit)
            assert (report.rows, report.broken_at) == (5, None)


CHANGES = {
    "seq": 99,
    "time": 1.0,
    "actor": "local:2",
    "tag": "x",
    "target": None,
    "outcome": "refused",
    "error": "forbidden",
    "params": "{}",
    "revision": 9,
    "previous": bytes(32),
    "hash": bytes(32),
    "agent": "x",
    "address": "x",
}


@pytest.mark.parametrize("column", [column.name for column in AUDIT_LOG.c])
def test_a_change_of_any_field_is_noticed_and_located(tmp_path: Path, column: str) -> None:
    with opened(tmp_path / "a.db") as store:
        write(store, 5)
        with store.unit(1.0) as unit:
            unit.connection.execute(update(AUDIT_LOG).where(AUDIT_LOG.c.seq == 3).values({column: CHANGES[column]}))
            report = verify_chain(unit)
            assert (report.rows, report.broken_at) == (2, 3)


def test_a_row_that_was_taken_out_is_noticed(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store:
        write(store, 5)
        with store.unit(1.0) as unit:
            unit.connection.execute(delete(AUDIT_LOG).where(AUDIT_LOG.c.seq == 2))
            assert verify_chain(unit).broken_at == 2


def test_what_is_recorded_holds_names_but_no_secret_values() -> None:
    action = next(each for each in ACTIONS if each.name == "server.add")
    params = NewServer(
        name="git",
        command=("mcp-git", "--token=hunter1"),
        env={"TOKEN": "hunter2"},
        headers={"Authorization": "Bearer hunter3"},
    )
    recorded = recordable(action, params)
    assert "hunter" not in recorded
    kept = msgspec.json.decode(recorded)
    assert kept["name"] == "git"
    assert kept["command"] == "<withheld>"
    assert kept["env"] == {"TOKEN": "<withheld>"}
    assert kept["headers"] == {"Authorization": "<withheld>"}


def test_a_request_that_would_fill_the_log_is_recorded_by_its_size() -> None:
    action = next(each for each in ACTIONS if each.name == "server.add")
    recorded = recordable(action, NewServer(name="x" * 100_000))
    assert len(recorded) < 100
    assert "too_long_to_record" in recorded
