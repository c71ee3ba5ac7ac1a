"""The audit log over REST."""

import msgspec

from mcp_platform.features.audit.actions import ACTIONS
from mcp_platform.store.route import Route, by_name

_OF = by_name(ACTIONS)


class Verified(msgspec.Struct, frozen=True):
    """What a walk over the audit log of control found."""

    rows: int
    """Rows that fit."""
    intact: bool
    broken_at: int | None
    """Number of the first row that does not fit the one before it."""


ROUTES = (Route("GET", "/audit/verification", _OF["audit.verify"], Verified),)
