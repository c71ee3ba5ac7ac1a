"""What can be done to principals. There is no deletion: a record of who acted must keep its subject."""

import msgspec
from sqlalchemy import select, update

from mcp_platform.base.errors import Fault
from mcp_platform.features.identity.check import SETUP_TTL_S
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.features.identity.tables import PRINCIPALS, SETUP_LINKS
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.page import Which, cut, turn
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes nothing."""


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which principal."""

    name: str


def list_principals(unit: Unit, params: Which, context: Context) -> Change:
    rows = unit.connection.execute(turn(select(PRINCIPALS), PRINCIPALS.c.name, params))
    listed = [
        {"name": row.name, "kind": row.kind, "created_at": row.created_at, "disabled": row.disabled_at is not None}
        for row in rows
    ]
    return Change(result=cut("principals", listed, params))


def disable_principal(unit: Unit, params: Named, context: Context) -> Change:
    return _set_disabled(unit, params.name, unit.now)


def enable_principal(unit: Unit, params: Named, context: Context) -> Change:
    return _set_disabled(unit, params.name, None)


def _set_disabled(unit: Unit, name: str, disabled_at: float | None) -> Change:
    changed = unit.connection.execute(
        update(PRINCIPALS).where(PRINCIPALS.c.name == name).values(disabled_at=disabled_at)
    )
    if changed.rowcount == 0:
        raise Fault(PRINCIPAL_UNKNOWN)
    return Change(
        result={"name": name, "disabled": disabled_at is not None}, touched=Touched(principals=True), target=name
    )


def start_setup(unit: Unit, params: NoParams, context: Context) -> Change:
    """Start the set-up link's 15 minutes, once: later starts of the platform do not prolong them."""
    expires_at = unit.now + SETUP_TTL_S
    started = unit.connection.execute(
        update(SETUP_LINKS).where(SETUP_LINKS.c.expires_at.is_(None)).values(expires_at=expires_at)
    )
    return Change(result={"started": started.rowcount > 0})


ACTIONS = (
    Action(
        name="principal.list",
        permission=Permission.IDENTITY_PRINCIPAL_READ,
        audit=Tag.IDENTITY_PRINCIPAL_LIST,
        params=Which,
        run=list_principals,
        summary="Lists the people and services that may hold keys and roles.",
        records=("name", "after", "limit"),
        reads=True,
    ),
    Action(
        name="principal.disable",
        permission=Permission.IDENTITY_PRINCIPAL_CHANGE,
        audit=Tag.IDENTITY_PRINCIPAL_DISABLE,
        params=Named,
        run=disable_principal,
        summary="Refuses everything to a principal, whatever keys it holds, until it is enabled again.",
        records=("name",),
    ),
    Action(
        name="principal.enable",
        permission=Permission.IDENTITY_PRINCIPAL_CHANGE,
        audit=Tag.IDENTITY_PRINCIPAL_ENABLE,
        params=Named,
        run=enable_principal,
        summary="Lets a disabled principal in again.",
        records=("name",),
    ),
    Action(
        name="setup.start",
        permission=Permission.IDENTITY_SETUP_START,
        audit=Tag.IDENTITY_SETUP_START,
        params=NoParams,
        run=start_setup,
        summary="Starts the 15 minutes in which the set-up link is good; the platform does this at its first start.",
        internal=True,
    ),
)
