"""Real databases for tests: migrated, on disk, alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import insert

from mcp_platform.features.apikeys.model import shard_of
from mcp_platform.features.apikeys.tables import API_KEYS
from mcp_platform.features.identity.tables import add_principal
from mcp_platform.features.rbac.model import MEMBER
from mcp_platform.features.rbac.tables import add_role, grant
from mcp_platform.store import migrate, revision
from mcp_platform.store.engine import open_sqlite
from mcp_platform.store.unit import Store, Unit


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """A migrated store with the platform's row and the built-in role."""
    store = Store(open_sqlite(path))
    try:
        migrate.upgrade(store.engine)
        with store.unit(1000.0) as unit:
            revision.found(unit, "plt_test")
            add_role(unit, MEMBER, built_in=True)
        yield store
    finally:
        store.close()


def add_many_keys(unit: Unit, count: int) -> str:
    """`count` keys of one principal, which holds the role member; returns its id."""
    principal = add_principal(unit, "many", "service")
    grant(unit, MEMBER.name, principal)
    ids = [f"{number:012d}" for number in range(count)]
    for start in range(0, count, 5000):
        unit.connection.execute(
            insert(API_KEYS),
            [
                {
                    "id": key_id,
                    "mac": bytes(32),
                    "principal_id": principal,
                    "agent": "bulk",
                    "shard": shard_of(key_id),
                    "created_at": unit.now,
                    "created_by": "test",
                }
                for key_id in ids[start : start + 5000]
            ],
        )
    return principal
