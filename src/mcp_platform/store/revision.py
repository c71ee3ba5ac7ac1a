"""The platform's row and its revision: the number that every change makes greater by one."""

from sqlalchemy import insert, select, update

from mcp_platform.store.schema import PLATFORM
from mcp_platform.store.unit import Unit


def found(unit: Unit, platform_id: str) -> None:
    """Write the platform's row, at revision 1."""
    unit.connection.execute(insert(PLATFORM).values(id=1, platform_id=platform_id, revision=1, created_at=unit.now))


def lock(unit: Unit) -> int:
    """The present revision. Whoever asks holds the platform's row to the end of the transaction, so that changes
    and audit rows stand in one order on every database."""
    return int(unit.connection.execute(select(PLATFORM.c.revision).with_for_update()).scalar_one())


def bump(unit: Unit) -> int:
    """Make the revision one greater and return it."""
    revision = lock(unit) + 1
    unit.connection.execute(update(PLATFORM).values(revision=revision))
    return revision


def raise_to(unit: Unit, number: int) -> None:
    """Set a revision that is greater than the present one."""
    assert number > lock(unit), "revisions only grow"
    unit.connection.execute(update(PLATFORM).values(revision=number))


def platform_id(unit: Unit) -> str:
    return str(unit.connection.execute(select(PLATFORM.c.platform_id)).scalar_one())
