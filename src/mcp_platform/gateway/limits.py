"""Which counters a request comes under, and what its sender is told of them. One per revision of the snapshot.

A caller's counters are taken all at once, when its message is read: only then can a refusal be addressed to it. What
comes without a good credential is counted by address, in counters of its own, so that nobody's failures stand in the
way of a good key.
"""

import math
from collections import Counter
from typing import NamedTuple, TypeVar

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.features.ratelimit.check import anonymous_rules, endpoint_of, is_virtual, rules_for, standing
from mcp_platform.features.ratelimit.errors import ADDRESS_LIMITED, RATE_LIMITED
from mcp_platform.features.ratelimit.model import LimitRow
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.meter import Bucket, Meter, Taken
from mcp_platform.gateway.outlet import Exchange
from mcp_platform.gateway.paths import mcp_path, place_of
from mcp_platform.gateway.tokens import SignatureDue
from mcp_platform.net.peer import counted_as
from mcp_platform.snapshot.model import Snapshot
from mcp_platform.wire.jsonrpc import Message
from mcp_platform.wire.methods import METHODS

log = Log(__name__)
K = TypeVar("K")
V = TypeVar("V")
MAX_PLANS = 20_000
"""Callers whose counters one worker remembers, about 1 KiB each. One more makes the oldest be worked out again."""
_SECOND = 1_000_000_000
_NOBODY = b"\0" * 16
"""Who comes over a Unix socket: they share one counter."""


class Refused(Counter[tuple[str, bool]]):
    """How often each rule refused since the last line about it: (rule, whether it only would have)."""

    def report(self) -> None:
        """One line for each rule, so that a flood writes no more than a trickle."""
        for (rule, shadow), requests in sorted(self.items()):
            log.warning("limit_would_refuse" if shadow else "limit_refused", rule=rule, requests=requests)
        self.clear()


class _Plan(NamedTuple):
    """What one kind of request of one caller comes under."""

    buckets: tuple[Bucket, ...]
    policy: bytes
    """Header line that says what is granted; empty where there is nothing to tell."""
    shadows: bool


class Limits:
    """The rules of one revision."""

    def __init__(self, snapshot: Snapshot, meter: Meter, refused: Refused) -> None:
        self._meter = meter
        self._refused = refused
        self._rules = snapshot.limits
        self._of_callers = any(rule.subject != "address" for rule in self._rules)
        self._named = frozenset(rule.endpoint for rule in self._rules if is_virtual(rule.endpoint))
        """Virtual servers that rules name."""
        self._of_tools = any(rule.tool is not None for rule in self._rules)
        self._plans: dict[tuple[str, str, str | None, tuple[str, str] | None], _Plan] = {}
        self._by_rules: dict[tuple[str, tuple[str, ...]], _Plan] = {}
        self._anonymous: dict[tuple[bytes, str], tuple[Bucket, ...]] = {}

    def admit(self, exchange: Exchange, caller: Identity, message: Message | None, endpoint: Endpoint) -> None:
        """Count a request of `caller` for `endpoint`; leaves on the exchange what the answer says of it. Raises
        Fault(rate_limited), and then nothing was counted."""
        if not self._of_callers:
            return
        plan = self._plan(caller, message, endpoint)
        if not plan.buckets:
            return
        taken = self._meter.take(plan.buckets)
        if plan.shadows:
            self._tell_shadows(taken)
        if plan.policy and (taken.refused_by is not None or _half_used(taken)):
            exchange.also += _headers(plan.policy, taken)
        if taken.refused_by is not None:
            rule = taken.refused_by.rule
            self._refused[rule, False] += 1
            raise Fault(RATE_LIMITED, data={"limit": rule}, retry_after_s=taken.wait / _SECOND)

    def guard(self, address: str, path: str) -> None:
        """Before a signature is verified: raises SignatureDue where too many from there had no good credential. Counts
        nothing."""
        if self._meter.exhausted(self._buckets_of(address, self._where(path))):
            raise SignatureDue

    def failed(self, address: str, path: str) -> None:
        """Count a request without a good credential. Raises Fault(address_limited)."""
        buckets = self._buckets_of(address, self._where(path))
        if not buckets:
            return
        taken = self._meter.take(buckets)
        self._tell_shadows(taken)
        if taken.refused_by is not None:
            raise self._address_fault(taken.refused_by.rule, taken.wait)

    def _address_fault(self, rule: str, wait: int) -> Fault:
        self._refused[rule, False] += 1
        return Fault(ADDRESS_LIMITED, data={"limit": rule}, retry_after_s=wait / _SECOND)

    def _where(self, path: str) -> str:
        """What rules call `path`. The two endpoints of 2024-11-05 are doors to the same rooms as `/mcp`."""
        place = place_of(path)
        return endpoint_of(path if place is None else mcp_path(place.name), self._named)

    def _plan(self, caller: Identity, message: Message | None, endpoint: Endpoint) -> _Plan:
        method = message.method if message is not None and message.method in METHODS else None
        tool = _tool(caller, message, endpoint) if self._of_tools and method == "tools/call" else None
        where = endpoint_of(mcp_path(endpoint.name), self._named)
        kind = (caller.principal.id, where, method, tool)
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plan_of(caller.principal.id, rules_for(self._rules, caller.principal.id, where, method, tool))
            _remember(self._plans, kind, plan)
        return plan

    def _plan_of(self, principal: str, rules: list[LimitRow]) -> _Plan:
        key = (principal, tuple(rule.name for rule in rules))
        plan = self._by_rules.get(key)
        if plan is not None:
            return plan
        own = principal.encode()
        buckets = []
        for rule in rules:
            who = own if rule.subject == "principal" else b"everyone"
            shown = rule.subject == "principal" and not rule.shadow
            buckets.append(self._meter.bucket(rule, who, who[-2:], shown=shown))
        told = [rule for rule in rules if rule.subject == "principal" and not rule.shadow]
        policy = ", ".join(f'"{rule.name}";q={rule.count};w={math.ceil(rule.period_s)}' for rule in told)
        line = f"RateLimit-Policy: {policy}\r\n".encode() if policy else b""
        plan = _Plan(tuple(buckets), line, any(rule.shadow for rule in rules))
        _remember(self._by_rules, key, plan)
        return plan

    def _buckets_of(self, address: str, endpoint: str) -> tuple[Bucket, ...]:
        who = counted_as(address) or _NOBODY
        buckets = self._anonymous.get((who, endpoint))
        if buckets is None:
            rules = anonymous_rules(self._rules, endpoint)
            buckets = tuple(self._meter.bucket(rule, who, _neighbours(who), shown=False) for rule in rules)
            _remember(self._anonymous, (who, endpoint), buckets)
        return buckets

    def _tell_shadows(self, taken: Taken) -> None:
        for bucket, tat in zip(taken.buckets, taken.tats, strict=True):
            if bucket.shadow and not tat:
                self._refused[bucket.rule, True] += 1


def _tool(caller: Identity, message: Message | None, endpoint: Endpoint) -> tuple[str, str] | None:
    """Server and tool that are called, if the caller may: who may not must not use up, nor learn of, its limit."""
    name = endpoint.called(message.params) if message is not None else None
    row = endpoint.tools.get(name) if isinstance(name, str) else None
    return (row.server, row.name) if row is not None and caller.allowed.permits(row.server, row.name) else None


def _half_used(taken: Taken) -> bool:
    """Whether there is something to tell: the lines cost as much as the counting, and who is far from a limit needs
    none."""
    now = taken.now
    for bucket, tat in zip(taken.buckets, taken.tats, strict=True):
        if bucket.shown and tat - now >= bucket.half:
            return True
    return False


def _headers(policy: bytes, taken: Taken) -> bytes:
    """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11), of the caller's own counters alone. A
    refusal tells of the one that refused."""
    refused = taken.refused_by
    if refused is not None:
        line = f'RateLimit: "{refused.rule}";r=0;t={math.ceil(taken.wait / _SECOND)}\r\n' if refused.shown else ""
        return policy + line.encode()
    items = []
    for bucket, tat in zip(taken.buckets, taken.tats, strict=True):
        if bucket.shown:
            remaining, reset_s = standing(tat, bucket.rate, taken.now)
            items.append(b'"%b";r=%d;t=%d' % (bucket.label, remaining, reset_s))
    return b"%bRateLimit: %b\r\n" % (policy, b", ".join(items)) if items else policy


def _neighbours(who: bytes) -> bytes:
    """Who shares a counter when addresses fill the table: the IPv4 /16 or IPv6 /32, so that a flood from one network
    meets itself."""
    return who[:14] if who.startswith(b"\0" * 10 + b"\xff\xff") else who[:4]


def _remember(known: dict[K, V], key: K, value: V) -> None:
    if len(known) >= MAX_PLANS:
        del known[next(iter(known))]
    known[key] = value
