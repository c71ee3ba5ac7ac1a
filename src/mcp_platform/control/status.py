"""What `doctor` asks a platform about itself."""

import msgspec
from sqlalchemy import func, select

from mcp_platform.features.apikeys.tables import count_keys
from mcp_platform.features.audit.tables import AUDIT_LOG
from mcp_platform.features.identity.tables import PRINCIPALS
from mcp_platform.features.upstreams.tables import UPSTREAM_TOOLS, UPSTREAMS
from mcp_platform.store import revision, revisions
from mcp_platform.store.action import Action, Change, Context
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes nothing."""


def read_status(unit: Unit, params: NoParams, context: Context) -> Change:
    tables = {"principals": PRINCIPALS, "servers": UPSTREAMS, "audit_rows": AUDIT_LOG}
    counts = {
        name: unit.connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in tables.items()
    }
    approved = select(func.count(UPSTREAM_TOOLS.c.approved_at))
    return Change(
        result={
            "platform_id": revision.platform_id(unit),
            "revision": revision.lock(unit),
            "schema": revisions.newest(),
            "keys": count_keys(unit),
            "tools": unit.connection.execute(approved).scalar_one(),
            **counts,
            **context.observed,
        }
    )


ACTIONS = (
    Action(
        name="status",
        permission=Permission.PLATFORM_STATUS_READ,
        audit=Tag.PLATFORM_STATUS_READ,
        params=NoParams,
        run=read_status,
        summary="Says which platform this is, its revision and schema, and how much it holds.",
        reads=True,
    ),
)
