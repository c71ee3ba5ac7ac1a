"""What control does when it starts, and what it asks the database for by itself."""

from collections.abc import Awaitable, Callable

from sqlalchemy import column, select, table

from mcp_platform.base import clock
from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.control.entry import SYSTEM
from mcp_platform.control.execute import Executor
from mcp_platform.control.publish import Draft, Publisher
from mcp_platform.features.audit.actions import Event, append
from mcp_platform.features.identity.check import setup_mac, verify_setup
from mcp_platform.features.identity.errors import SETUP_LINK_INVALID
from mcp_platform.features.identity.tables import SETUP_LINKS
from mcp_platform.features.upstreams.tables import UPSTREAMS, Access, open_access
from mcp_platform.features.vault.keys import KeyRing
from mcp_platform.store import revision, revisions
from mcp_platform.store.action import Touched
from mcp_platform.store.errors import SCHEMA_OLDER
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Store, Unit


def require_newest_schema(store: Store) -> None:
    """Raises Fault(schema_older). The supervisor has migrated already: this finds a program that was replaced by
    another version while it ran."""
    with store.unit(clock.now()) as unit:
        found = unit.connection.execute(select(column("version_num")).select_from(table("alembic_version"))).scalar()
    if found != revisions.newest():
        raise Fault(SCHEMA_OLDER)


def next_draft(unit: Unit, publisher: Publisher) -> Draft:
    """A new revision above every one that a worker has seen: what stands on the shelf with the settings of now, or
    everything anew where the shelf does not hold the database's revision (a first start, a restored backup)."""
    old = revision.lock(unit)
    resumed = publisher.resume(old)
    number = max(old, publisher.newest_seen()) + 1
    revision.raise_to(unit, number)
    append(unit, Event(SYSTEM.id, Tag.PLATFORM_CONTROL_START, "ok"))
    return publisher.build(unit, Touched(settings=True), number) if resumed else publisher.full(unit, number)


async def publish_at_start(executor: Executor, publisher: Publisher) -> None:
    await publisher.publish(await executor.read(lambda unit: next_draft(unit, publisher)))


async def start_setup_link(executor: Executor) -> None:
    """At the first start of all, the set-up link's 15 minutes begin."""

    def pending(unit: Unit) -> bool:
        waiting = select(SETUP_LINKS.c.id).where(SETUP_LINKS.c.expires_at.is_(None))
        return unit.connection.execute(waiting).first() is not None

    if await executor.read(pending):
        await executor.execute("setup.start", {}, SYSTEM)


def setup_judge(executor: Executor, ring: KeyRing) -> Callable[[str], Awaitable[ErrorKind | None]]:
    """Whether the token of a set-up link is good now."""

    async def judge(token: str) -> ErrorKind | None:
        def ask(unit: Unit) -> ErrorKind | None:
            row = unit.connection.execute(select(SETUP_LINKS.c.mac, SETUP_LINKS.c.expires_at)).first()
            if row is None:
                return SETUP_LINK_INVALID
            return verify_setup(row.mac, setup_mac(ring.data_key, token), row.expires_at, unit.now)

        return await executor.read(ask)

    return judge


async def look_up_access(executor: Executor, ring: KeyRing, upstream: str, version: int) -> tuple[str, Access] | None:
    """What the broker hands out. Only for the version that is asked for: a secret never goes to an older address."""

    def ask(unit: Unit) -> tuple[str, Access] | None:
        row = unit.connection.execute(
            select(UPSTREAMS.c.name).where(UPSTREAMS.c.id == upstream, UPSTREAMS.c.version == version)
        ).first()
        access = None if row is None else open_access(unit, ring.data_key, upstream)
        return None if row is None or access is None else (row.name, access)

    return await executor.read(ask)
