"""Keys that stand in a platform's database and that nobody holds: as many as a large company has."""

import sqlite3

from mcp_platform.features.apikeys.model import shard_of


def add_keys(database: sqlite3.Connection, count: int) -> None:
    """Straight into the database of a platform that is not running; whoever opened it commits."""
    (principal,) = database.execute("select id from principals limit 1").fetchone()
    names = [f"bulk{number:08d}" for number in range(count)]
    rows = [(name, shard_of(name).to_bytes(32), principal, "bulk", shard_of(name), 0.0, "test") for name in names]
    database.executemany(
        "insert into api_keys (id, mac, principal_id, agent, shard, created_at, created_by) values (?,?,?,?,?,?,?)",
        rows,
    )
    database.execute("update platform set revision = revision + 1")
