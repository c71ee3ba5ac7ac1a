"""Erasing what the journal holds of somebody's arguments and results: by their key, for the journal itself is kept."""

from collections.abc import Callable
from typing import Protocol

import msgspec
from sqlalchemy import or_, select

from mcp_platform.base.errors import Fault
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.features.identity.tables import PRINCIPALS
from mcp_platform.store.action import Action, Change, Context
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit


class Erases(Protocol):
    """Who holds the keys of subjects."""

    def erase(self, subject: str) -> bool: ...


class Reach(Protocol):
    """What this action is given of the world outside."""

    @property
    def record(self) -> Erases: ...


class Erase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose."""

    principal: str
    """Name or id."""


def subject_of(unit: Unit, params: Erase, context: Context) -> str:
    named = or_(PRINCIPALS.c.name == params.principal, PRINCIPALS.c.id == params.principal)
    found: str | None = unit.connection.execute(select(PRINCIPALS.c.id).where(named)).scalar()
    if found is None:
        raise Fault(PRINCIPAL_UNKNOWN)
    return found


async def way(subject: str, reach: Reach) -> tuple[str, Callable[[str], bool]]:
    """Nothing is erased here: first the record says that it begins."""
    return subject, reach.record.erase


def erase(unit: Unit, params: Erase, context: Context) -> Change:
    """Whatever comes of the transaction, a key that is gone is gone: that it began stands in the journal."""
    subject, destroy = context.found
    return Change(result={"principal": subject, "erased": destroy(subject)}, target=subject)


ACTIONS = (
    Action(
        name="content.erase",
        permission=Permission.AUDIT_CONTENT_ERASE,
        audit=Tag.AUDIT_CONTENT_ERASE,
        params=Erase,
        gather=subject_of,
        look=way,
        run=erase,
        records=("principal",),
        summary="Destroys the key of a principal's recorded arguments and results, so that nobody can read them again.",
    ),
)
