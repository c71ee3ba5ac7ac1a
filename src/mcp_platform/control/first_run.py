"""The first run: keys, database, the owner, its first API key, the set-up link. Everything durable before it returns.

All is built in DATA/.first-run and moved into place at the end, the keys last: a run that was cut short leaves a
folder in which the next try simply begins anew.
"""

import contextlib
import shutil
from dataclasses import dataclass

from sqlalchemy import insert

from mcp_platform.base.config import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder, make_private, sync_folder
from mcp_platform.control.entry import SYSTEM
from mcp_platform.features.apikeys.actions import NewKey, store_key
from mcp_platform.features.audit.actions import Event, append
from mcp_platform.features.identity.check import new_setup_token, setup_mac
from mcp_platform.features.identity.tables import SETUP_LINKS, add_principal
from mcp_platform.features.rbac.model import MEMBER
from mcp_platform.features.rbac.tables import add_role, grant
from mcp_platform.features.vault.errors import KEYS_EXIST
from mcp_platform.features.vault.keys import KeyRing, kek_path
from mcp_platform.features.vault.model import read_platform
from mcp_platform.store import migrate, revision
from mcp_platform.store.action import Context, Secrets
from mcp_platform.store.engine import open_sqlite
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Store, Unit

OWNER = "owner"
FIRST_AGENT = "first key"


@dataclass(frozen=True, slots=True, repr=False)
class FirstRun:
    """What the first run made. Both secrets exist nowhere else."""

    platform_id: str
    api_key: str
    setup_token: str


def initialise(data: DataFolder, settings: Settings, now: float) -> FirstRun:
    """Make a platform in `data`. The caller keeps others out (DATA/lock). Raises Fault(keys_exist | kek_unusable |
    store_failed)."""
    if data.keys.exists() or (data.database.exists() and not data.unfinished.exists()):
        raise Fault(KEYS_EXIST)
    make_private(data.root)
    _discard(data, settings)
    aside = DataFolder(data.unfinished)
    make_private(aside.root)
    ring = KeyRing.create(aside, settings.vault.kek_file, now)
    store = Store(open_sqlite(aside.database))
    try:
        migrate.upgrade(store.engine)
        with store.unit(now) as unit:
            made = _fill(unit, ring, settings)
    finally:
        store.close()  # the last connection: SQLite folds its WAL into the file
    sync_folder(aside.root)
    aside.database.rename(data.database)
    aside.keys.rename(data.keys)
    sync_folder(data.root)
    shutil.rmtree(aside.root)
    return made


def _discard(data: DataFolder, settings: Settings) -> None:
    """Away with what a run that was cut short left: nobody was promised anything of it."""
    if not data.unfinished.exists():
        return
    for leftover in data.root.glob(f"{data.database.name}*"):
        leftover.unlink()
    # keys_missing: it did not get as far as a key-encryption key. OSError: nor could it make one.
    with contextlib.suppress(Fault, OSError):
        platform_id = read_platform(DataFolder(data.unfinished)).platform_id
        if settings.vault.kek_file is None:
            kek_path(platform_id, None).unlink(missing_ok=True)
    shutil.rmtree(data.unfinished)


def _fill(unit: Unit, ring: KeyRing, settings: Settings) -> FirstRun:
    revision.found(unit, ring.platform_id)
    add_role(unit, MEMBER, built_in=True)
    owner = add_principal(unit, OWNER, "person")
    grant(unit, MEMBER.name, owner)
    context = Context(SYSTEM, Secrets(mac_key=ring.mac_key, data_key=ring.data_key), settings)
    api_key = store_key(unit, owner, NewKey(principal=OWNER, agent=FIRST_AGENT), context)
    token = new_setup_token()
    unit.connection.execute(
        insert(SETUP_LINKS).values(id=1, mac=setup_mac(ring.data_key, token), principal_id=owner, created_at=unit.now)
    )
    append(unit, Event(SYSTEM.id, Tag.PLATFORM_FIRST_RUN, "ok", target=ring.platform_id))
    return FirstRun(platform_id=ring.platform_id, api_key=api_key, setup_token=token)
