"""The legacy sessions of one link, each opened once however many calls want it at the same time.

One is shared by all callers and knows of no client capability; any other server has one for each (principal, capability
set), so that nobody is asked, hears, or finds what is left behind, on behalf of another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Generic, Protocol, TypeVar

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.net.transports import messages
from mcp_platform.net.transports.model import Call, Target
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY

MAX_SESSIONS = 256
"""Sessions of one worker at one upstream; as many as it has connections."""
MAX_PER_OWNER = 8
"""Of one principal: an agent host has one capability set, a person a few agent hosts."""
Key = tuple[str, bytes] | None
"""Principal and capabilities (JSON in one spelling) that a session belongs to; None: shared by all."""


class Kept(Protocol):
    """A session, as far as keeping it goes."""

    key: Key
    last_used: float

    @property
    def busy(self) -> bool: ...

    @property
    def gone(self) -> bool: ...

    async def end(self) -> None:
        """Say goodbye to the server. Called once, when nobody gets this session any more."""


S = TypeVar("S", bound=Kept)


def key_of(target: Target, owner: str | None, capabilities: bytes) -> Key:
    """Whose session serves a call of `owner` with these client capabilities."""
    if not target.interactive or owner is None:
        return None
    return owner, messages.canonical(capabilities)


class Sessions(Generic[S]):
    """Bounded in number; those that nobody uses any more are ended."""

    def __init__(
        self,
        idle_s: float,
        start: Callable[[Key, Call], Awaitable[S]],
        politely: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._idle_s = idle_s
        self._start = start
        self._politely = politely
        self._kept: dict[Key, S] = {}
        self._opening: dict[Key, asyncio.Task[S]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def kept(self, key: Key) -> S | None:
        """The session that is open now."""
        session = self._kept.get(key)
        return None if session is None or session.gone else session

    @property
    def any_kept(self) -> bool:
        return any(not session.gone for session in self._kept.values())

    async def get(self, key: Key, call: Call) -> S:
        """The session for `call`. Raises Fault(upstream_*)."""
        session = self._kept.get(key)
        if session is not None:
            if not session.gone:
                return session
            self._end(session)
        opening = self._opening.get(key)
        if opening is None:
            self._make_room(key)
            opening = asyncio.get_running_loop().create_task(self._open(key, call))
            self._opening[key] = opening
            opening.add_done_callback(lambda _: self._opening.pop(key, None))
        # A caller that gives up must not take the session from the others who wait for it.
        return await asyncio.shield(opening)

    async def _open(self, key: Key, call: Call) -> S:
        session = await self._start(key, call)
        self._kept[key] = session
        self._arm()
        return session

    def drop(self, session: S) -> None:
        """Forget a session that its server forgot."""
        if self._kept.get(session.key) is session:
            self._end(session)

    def _make_room(self, key: Key) -> None:
        own = [] if key is None else [kept for kept in self._kept.values() if kept.key and kept.key[0] == key[0]]
        at_own_cap = len(own) >= MAX_PER_OWNER
        if not at_own_cap and len(self._kept) + len(self._opening) < MAX_SESSIONS:
            return
        unused = [session for session in (own if at_own_cap else self._kept.values()) if not session.busy]
        if not unused:
            raise Fault(UPSTREAM_BUSY, retry_after_s=1.0)
        self._end(min(unused, key=lambda session: session.last_used))

    def _end(self, session: S) -> None:
        if self._kept.get(session.key) is session:
            del self._kept[session.key]
        self._politely(session.end())

    def _arm(self) -> None:
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_s / 4, self._end_unused)

    def _end_unused(self) -> None:
        self._sweep = None
        before = clock.monotonic() - self._idle_s
        for session in list(self._kept.values()):
            if session.gone or (not session.busy and session.last_used < before):
                self._end(session)
        if self._kept:
            self._arm()

    async def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        opening = list(self._opening.values())
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for session in list(self._kept.values()):
            self._end(session)
