"""Keeps issuers' keys as they are published: fetched again on each issuer's schedule, and when a worker meets a key
that it does not know. Only a set that changed is stored; one that cannot be fetched leaves the keys as they are, for a
day at most.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import select

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.control import key_sets
from mcp_platform.control.entry import SYSTEM
from mcp_platform.control.execute import Executor
from mcp_platform.features.jwt.keys import read
from mcp_platform.features.jwt.model import IssuerKey
from mcp_platform.features.jwt.tables import ISSUERS, Policy, keys_of, policy_of
from mcp_platform.store.unit import Unit

LOOK_S = 5.0
"""Seconds between two looks at whose turn it is."""
MAX_STALE_S = 86400.0
"""Seconds without one good answer after which an issuer's keys are trusted no longer: whoever can keep us from
fetching must not keep a key alive that the issuer took back."""
ASKED_BURST = 3
ASKED_EVERY_S = 30.0
"""An unknown key id may cause three fetches at once, then one in 30 seconds: tokens that name keys at random must not
make us a nuisance to the issuer."""
_NO_KEYS = '{"keys":[]}'
_log = Log("control.rotation")


@dataclass(frozen=True, slots=True)
class _Issuer:
    """What is needed to fetch."""

    id: str
    url: str
    authority: str | None
    policy: Policy
    keys: tuple[IssuerKey, ...]


@dataclass(slots=True)
class _State:
    """What is remembered of one issuer while control runs."""

    fetched_at: float
    """Monotonic: the last try; at the start nobody knows how old the keys are."""
    good_at: float
    """Monotonic: the last answer."""
    tokens: float = ASKED_BURST
    asked_at: float = 0.0
    fetches: int = 0
    """Good answers, stored and published."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Rotation:
    """Owns every fetch that nobody asked for by name."""

    def __init__(
        self, executor: Executor, connect_timeout_s: float, monotonic: Callable[[], float] = clock.monotonic
    ) -> None:
        self._executor = executor
        self._monotonic = monotonic
        self._connect_timeout_s = connect_timeout_s
        self._states: dict[str, _State] = {}

    async def run(self) -> None:
        """Fetch on schedule for ever; ends only by cancellation."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Exception as error:  # the root of a task that must go on: logged, and tried again
                _log.error("rotation_failed", exc=error)

    async def asked(self, issuer_id: str) -> bool:
        """A worker met a key id that it does not know. False where it was asked for too often; a question that comes
        while the answer is fetched waits for that answer."""
        known = self._states.get(issuer_id)
        before = known.fetches if known is not None else 0
        issuer = next((each for each in await self._issuers() if each.id == issuer_id), None)
        if issuer is None:
            return False
        state = self._state(issuer.id)
        if state.fetches > before:
            return True
        if state.turn.locked():
            async with state.turn:
                return True
        now = self._monotonic()
        state.tokens = min(ASKED_BURST, state.tokens + (now - state.asked_at) / ASKED_EVERY_S)
        state.asked_at = now
        if state.tokens < 1:
            return False
        state.tokens -= 1
        await self._fetch(issuer, state)
        return True

    async def look(self) -> None:
        """Fetch for every issuer whose turn it is."""
        issuers = await self._issuers()
        now = self._monotonic()
        for gone in self._states.keys() - {issuer.id for issuer in issuers}:
            del self._states[gone]
        async with asyncio.TaskGroup() as group:  # one that does not answer holds no other up
            for issuer in issuers:
                state = self._state(issuer.id)
                if now - state.fetched_at >= issuer.policy.refresh_s and not state.turn.locked():
                    group.create_task(self._fetch(issuer, state))

    def _state(self, issuer_id: str) -> _State:
        now = self._monotonic()
        return self._states.setdefault(issuer_id, _State(fetched_at=float("-inf"), good_at=now, asked_at=now))

    async def _issuers(self) -> list[_Issuer]:
        def ask(unit: Unit) -> list[_Issuer]:
            rows = unit.connection.execute(select(ISSUERS).where(ISSUERS.c.keys_url.is_not(None)))
            return [_Issuer(row.id, row.keys_url, row.authority, policy_of(row), keys_of(row)) for row in rows]

        return await self._executor.read(ask)

    async def _fetch(self, issuer: _Issuer, state: _State) -> None:
        """A failure is logged: the keys stay as they are until they are stale."""
        async with state.turn:
            state.fetched_at = self._monotonic()
            try:
                document = await key_sets.fetch(issuer.url, issuer.authority, self._connect_timeout_s)
                found = read(document, issuer.policy.algorithms)
                state.good_at = self._monotonic()
                if found.weak:
                    _log.error("issuer_keys_weak", issuer=issuer.id, keys=list(found.weak))
                if found.keys != issuer.keys:
                    await self._store(issuer, document.decode())
                state.fetches += 1
            except Fault as fault:
                _log.error(
                    "issuer_keys_not_fetched", issuer=issuer.id, code=fault.kind.code, stage=fault.data.get("stage")
                )
                if issuer.keys and self._monotonic() - state.good_at > MAX_STALE_S:
                    await self._store(issuer, _NO_KEYS)

    async def _store(self, issuer: _Issuer, document: str) -> None:
        answer = await self._executor.execute("issuer.rotate", {"id": issuer.id, "keys": document}, SYSTEM)
        _log.info("issuer_keys_changed", issuer=issuer.id, keys=answer["keys"])
