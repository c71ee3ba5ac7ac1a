"""Limits, decided: the algorithm, and which rules a request comes under. Pure.

GCRA (ITU-T I.371): a bucket is one number, the theoretical arrival time (TAT), until when its requests are paid for.
A request is paid for with one interval (period / count); it is let through while the TAT is not further ahead of now
than the burst allows. Times are whole nanoseconds, intervals are rounded up, so that no rounding ever admits more.
"""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from mcp_platform.features.ratelimit.model import LimitRow
from mcp_platform.wire.methods import METHODS

PATHS = ("/mcp", "/healthz", "/readyz")
"""Paths that a rule may name, besides `/mcp/NAME`. Whatever else is asked for has one name together: OTHER. A rule for
`/mcp` counts requests to every `/mcp/NAME` too: who is kept from one must not go on at the next."""
OTHER = "other"
ENDPOINTS = (*PATHS, OTHER, *METHODS)
ANONYMOUS_ENDPOINTS = (*PATHS, OTHER)
MAX_COUNT = 1_000_000_000
MAX_PERIOD_S = 31 * 86_400.0
"""A month. Longer quotas are contracts, not protection, and need books, not counters."""
MAX_AHEAD_S = 366 * 86_400.0
"""Seconds that a whole burst may take to come back; a year."""
SLOW_S = 600.0
"""Seconds from which on a bucket that is spent is worth keeping over a restart."""
_SECOND = 1_000_000_000
_VIRTUAL = re.compile(r"/mcp/[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """What a rule grants, in nanoseconds."""

    interval: int
    """What one request costs."""
    tolerance: int
    """How far ahead of now the TAT may be when a request comes: (burst - 1) intervals."""

    @classmethod
    def of(cls, rule: LimitRow) -> "Rate":
        interval = -(-round(rule.period_s * _SECOND) // rule.count)
        return cls(interval, interval * (rule.burst - 1))

    @property
    def slow(self) -> bool:
        """Whether a spent bucket takes long to fill."""
        return self.interval + self.tolerance >= SLOW_S * _SECOND


class Standing(NamedTuple):
    """What is left in a bucket."""

    remaining: int
    """Requests that may come now."""
    reset_s: int
    """Whole seconds until all of the burst is there again, rounded up."""


def spend(tat: int, interval: int, tolerance: int, now: int) -> int:
    """The TAT after one more request; where there is none to spare, minus the nanoseconds until there is."""
    ahead = tat - now
    if ahead <= 0:
        return now + interval
    return tat + interval if ahead <= tolerance else tolerance - ahead


def standing(tat: int, rate: Rate, now: int) -> Standing:
    ahead = max(0, tat - now)
    remaining = max(0, (rate.tolerance + rate.interval - ahead) // rate.interval)
    return Standing(remaining, -(-ahead // _SECOND))


def is_limit_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def is_virtual(path: str) -> bool:
    """Whether `path` has the form of a virtual server's."""
    return _VIRTUAL.fullmatch(path) is not None


def endpoint_of(path: str, named: Container[str] = ()) -> str:
    """The one name of a path: a variant in case, slashes or percent-encoding is not served, so it is OTHER. A virtual
    server's path is itself only where a rule names it: whoever makes up others comes under `/mcp`."""
    if path in PATHS:
        return path
    if is_virtual(path):
        return path if path in named else "/mcp"
    return {"/health": "/healthz", "/ready": "/readyz"}.get(path, OTHER)


def covers(rule: LimitRow, endpoint: str, method: str | None, tool: tuple[str, str] | None) -> bool:
    """Whether `rule` counts a request for `endpoint`. `method` is one of METHODS or None; `tool` the server and the
    tool of a call that its caller may make."""
    if rule.tool is not None:
        if tool is None:
            return False
        server, _, name = rule.tool.partition("/")
        return server in ("*", tool[0]) and name in ("*", tool[1])
    if rule.endpoint in ("*", endpoint) or (rule.endpoint == "/mcp" and is_virtual(endpoint)):
        return True
    return method is not None and rule.endpoint == method


def rules_for(
    rules: Iterable[LimitRow], principal: str, endpoint: str, method: str | None, tool: tuple[str, str] | None
) -> list[LimitRow]:
    """The rules of one caller's request. One that names the caller stands in for those that name nobody and are for
    the same endpoint and tool: so somebody can be given more than the rest."""
    found = [
        rule
        for rule in rules
        if rule.subject != "address" and rule.principal in (None, principal) and covers(rule, endpoint, method, tool)
    ]
    named = {(rule.endpoint, rule.tool) for rule in found if rule.principal is not None}
    return [
        rule
        for rule in found
        if rule.principal is not None or rule.subject != "principal" or (rule.endpoint, rule.tool) not in named
    ]


def anonymous_rules(rules: Iterable[LimitRow], endpoint: str) -> list[LimitRow]:
    """The rules for a request that came without a good credential."""
    return [rule for rule in rules if rule.subject == "address" and covers(rule, endpoint, None, None)]
