"""What can be done to limits."""

import math

import msgspec
from sqlalchemy import delete, func, select

from mcp_platform.base.errors import INVALID, NOT_FOUND, Fault
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.features.identity.tables import principal_id_of
from mcp_platform.features.ratelimit.check import (
    ANONYMOUS_ENDPOINTS,
    ENDPOINTS,
    MAX_AHEAD_S,
    MAX_COUNT,
    MAX_PERIOD_S,
    is_limit_name,
    is_virtual,
)
from mcp_platform.features.ratelimit.model import LimitRow
from mcp_platform.features.ratelimit.tables import LIMITS, add_limit, limits, principal_names
from mcp_platform.features.rbac.check import is_tool_rule
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.page import Which, pick
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_LIMITS = 64
"""Rules in all. Each request pays for those that cover it, and every principal has a counter for each of them."""


class NewLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule."""

    name: str
    count: int
    """Requests in each period."""
    period_s: float
    by: str = "principal"
    """Who shares a counter: `address` (requests without a good credential), `principal`, or `everyone`."""
    burst: int | None = None
    """Requests at one moment; None: `count`."""
    endpoint: str = "*"
    tool: str | None = None
    """`server/tool`."""
    principal: str | None = None
    """Name or id of the one principal that it is for."""
    shadow: bool = False
    """Warning: this allows what is above the limit: it is only reported."""
    strict: bool = False
    """True refuses what names a server or tool that is not known, instead of warning of it."""


class LimitNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rule."""

    name: str


def list_limits(unit: Unit, params: Which, context: Context) -> Change:
    names = principal_names(unit)
    listed = [_shown(rule, names.get(rule.principal or "")) for rule in limits(unit)]
    return Change(result=pick("limits", listed, params))


def set_limit(unit: Unit, params: NewLimit, context: Context) -> Change:
    """Makes the rule, or replaces the one of that name."""
    rule = _rule(unit, params)
    replaced = unit.connection.execute(delete(LIMITS).where(LIMITS.c.name == rule.name)).rowcount > 0
    number = unit.connection.execute(select(func.count()).select_from(LIMITS)).scalar_one()
    if number >= MAX_LIMITS:
        raise Fault(INVALID, f"There are {MAX_LIMITS} limits already, which is the most; remove one first.")
    add_limit(unit, rule)
    return Change(
        result={**_shown(rule, params.principal), "replaced": replaced},
        touched=Touched(limits=True),
        target=rule.name,
    )


def remove_limit(unit: Unit, params: LimitNamed, context: Context) -> Change:
    gone = unit.connection.execute(delete(LIMITS).where(LIMITS.c.name == params.name))
    if gone.rowcount == 0:
        raise Fault(NOT_FOUND, "No limit has that name; `mcp-platform limit list` shows those that exist.")
    return Change(result={"name": params.name, "removed": True}, touched=Touched(limits=True), target=params.name)


def _rule(unit: Unit, params: NewLimit) -> LimitRow:
    wrong = _what_is_wrong(params)
    if wrong is not None:
        raise Fault(INVALID, wrong)
    principal = None
    if params.principal is not None:
        principal = principal_id_of(unit, params.principal)
        if principal is None:
            raise Fault(PRINCIPAL_UNKNOWN)
    return LimitRow(
        name=params.name,
        subject=params.by,  # type: ignore[arg-type]  # one of the three: it was checked
        count=params.count,
        period_s=params.period_s,
        burst=params.count if params.burst is None else params.burst,
        endpoint="tools/call" if params.tool is not None else params.endpoint,
        tool=params.tool,
        principal=principal,
        shadow=params.shadow,
    )


def _what_is_wrong(params: NewLimit) -> str | None:
    if not is_limit_name(params.name):
        return "A limit's name is 1 to 64 of a-z, 0-9 and `_-.`, and begins with a letter or digit."
    if params.by not in ("address", "principal", "everyone"):
        return "A limit is by address, principal or everyone."
    return _wrong_rate(params) or _wrong_scope(params)


def _wrong_rate(params: NewLimit) -> str | None:
    if not 1 <= params.count <= MAX_COUNT:
        return f"A limit lets 1 to {MAX_COUNT:,} requests through in each period."
    if not (math.isfinite(params.period_s) and 1 <= params.period_s <= MAX_PERIOD_S):
        return "A limit's period is 1 second to 31 days."
    burst = params.count if params.burst is None else params.burst
    if not 1 <= burst <= MAX_COUNT or burst * params.period_s / params.count > MAX_AHEAD_S:
        return "A limit's burst is at least 1, and what comes back within a year at its rate."
    return None


def _wrong_scope(params: NewLimit) -> str | None:
    if params.by == "address":
        if params.tool is not None or params.principal is not None:
            return "A limit by address is for requests without a good credential: they have no tool and no principal."
        if params.endpoint not in ("*", *ANONYMOUS_ENDPOINTS) and not is_virtual(params.endpoint):
            return f"A limit by address has the endpoint *, /mcp/NAME or one of: {', '.join(ANONYMOUS_ENDPOINTS)}."
        return None
    if params.by == "everyone" and params.principal is not None:
        return "A limit that everyone shares is not for one principal."
    if params.tool is not None and not is_tool_rule(params.tool):
        return "A limit's tool has the form `server/tool`; either side may be `*` as a whole."
    if params.tool is not None and params.endpoint not in ("*", "tools/call"):
        return "A limit of a tool has the endpoint tools/call."
    known = [endpoint for endpoint in ENDPOINTS if endpoint == "/mcp" or endpoint not in ANONYMOUS_ENDPOINTS]
    if params.endpoint not in ("*", *known) and not is_virtual(params.endpoint):
        return f"A limit has the endpoint *, /mcp/NAME or one of: {', '.join(known)}."
    return None


def _shown(rule: LimitRow, principal: str | None) -> dict[str, object]:
    return {
        "name": rule.name,
        "by": rule.subject,
        "count": rule.count,
        "period_s": rule.period_s,
        "burst": rule.burst,
        "endpoint": rule.endpoint,
        "tool": rule.tool,
        "principal": principal,
        "shadow": rule.shadow,
    }


ACTIONS = (
    Action(
        name="limit.list",
        permission=Permission.RATELIMIT_LIMIT_READ,
        audit=Tag.RATELIMIT_LIMIT_LIST,
        params=Which,
        run=list_limits,
        records=("name", "after", "limit"),
        summary="Lists the limits, with whom and what each of them counts.",
        reads=True,
    ),
    Action(
        name="limit.remove",
        permission=Permission.RATELIMIT_LIMIT_CHANGE,
        audit=Tag.RATELIMIT_LIMIT_REMOVE,
        params=LimitNamed,
        run=remove_limit,
        summary="Removes a limit; requests that it alone refused are answered at once.",
        records=("name",),
    ),
    Action(
        name="limit.set",
        permission=Permission.RATELIMIT_LIMIT_CHANGE,
        audit=Tag.RATELIMIT_LIMIT_SET,
        params=NewLimit,
        run=set_limit,
        summary="Makes a limit, or replaces the one of that name; its counters begin anew when its rate changes.",
        records=("name", "count", "period_s", "by", "burst", "endpoint", "tool", "principal", "shadow", "strict"),
        names=lambda params: () if params.tool is None else (params.tool,),
    ),
)
