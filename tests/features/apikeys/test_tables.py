"""API keys in SQL: the snapshot's shards come from an index."""

import time
from pathlib import Path

from sqlalchemy import text, update

from mcp_platform.features.apikeys.model import shard_of
from mcp_platform.features.apikeys.tables import API_KEYS, count_keys, keys
from tests.store.databases import add_many_keys, opened

WIDTH = (1 << 32) // 4


def test_the_shards_together_hold_every_key_once(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store, store.unit(1000.0) as unit:
        principal = add_many_keys(unit, 500)
        shards = [keys(unit, number * WIDTH, (number + 1) * WIDTH - 1) for number in range(4)]
        found = [row.id for shard in shards for row in shard]
        assert len(found) == len(set(found)) == count_keys(unit) == 500
        for number, shard in enumerate(shards):
            assert [row.id for row in shard] == sorted(row.id for row in shard)
            assert all(shard_of(row.id) // WIDTH == number for row in shard)
        assert {row.principal for shard in shards for row in shard} == {principal}


def test_revoked_and_expired_keys_are_not_in_it(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store, store.unit(1000.0) as unit:
        add_many_keys(unit, 4)
        change = update(API_KEYS)
        unit.connection.execute(change.where(API_KEYS.c.id == f"{0:012d}").values(revoked_at=1.0))
        unit.connection.execute(change.where(API_KEYS.c.id == f"{1:012d}").values(not_after=1000.0))
        unit.connection.execute(change.where(API_KEYS.c.id == f"{2:012d}").values(not_after=1000.1, scopes='["a/*"]'))
        rows = keys(unit, 0, (1 << 32) - 1)
        assert [row.id for row in rows] == [f"{2:012d}", f"{3:012d}"]
        assert (rows[0].scopes, rows[1].scopes) == (("a/*",), None)
        assert count_keys(unit) == 2


def test_a_shard_of_100_000_keys_is_read_through_the_index(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store, store.unit(1000.0) as unit:
        add_many_keys(unit, 100_000)
        width = (1 << 32) // 2048
        plan = unit.connection.execute(
            text("EXPLAIN QUERY PLAN SELECT id FROM api_keys WHERE shard BETWEEN 0 AND 9 AND revoked_at IS NULL")
        ).all()
        assert "USING INDEX ix_api_keys_shard" in str(plan)
        began = time.thread_time()
        found = sum(len(keys(unit, number * width, (number + 1) * width - 1)) for number in range(20))
        assert 700 < found < 1300
        assert (time.thread_time() - began) / 20 < 0.01
