"""Legacy sessions (2024-11-05 … 2025-11-25) at an HTTP upstream: opened by `initialize`, told of capabilities once.

One session is shared by all callers and knows of no client capability; a server that may ask its client has one for
each (principal, capability set), so that nobody is asked on behalf of another.
"""

import asyncio

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net import client_head
from mcp_platform.net.transports import era, messages
from mcp_platform.net.transports.http_endpoint import COURTESY_S, Endpoint, Nobody, session_id
from mcp_platform.net.transports.model import Answer, Call, Caller
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY, UPSTREAM_DOWN, UPSTREAM_TIMEOUT

MAX_SESSIONS = 256
"""Sessions of one worker at one upstream; as many as it has connections."""
Key = tuple[str, bytes] | None
_log = Log(__name__)


class SessionGone(Exception):
    """The upstream no longer knows the session (HTTP 404); it did not take the request."""


class Session:
    """One legacy session."""

    def __init__(self, endpoint: Endpoint, call: Call, key: Key) -> None:
        self.key = key
        self.under_way = 0
        self.last_used = clock.monotonic()
        self.found: era.Found | None = None
        self._endpoint = endpoint
        self._owner = call.owner
        self._capabilities = b"{}" if key is None else call.capabilities
        self._client_info = None if key is None else call.client_info
        self._extra = b""
        self._has_id = False

    async def open(self, timeout_s: float) -> None:
        """`initialize`, then `notifications/initialized`. Raises Fault(upstream_*)."""
        identity = self._endpoint.next_id()
        body = messages.initialize(identity, self._capabilities, self._client_info)
        opening = Call(method="initialize", params=b"{}", owner=self._owner, timeout_s=timeout_s)
        head = await self._endpoint.head(self._owner, b"")
        answer, headers, _ = await self._endpoint.converse(
            head, body, identity, opening, Nobody(), era.LEGACY, self._answer_back
        )
        self.found = era.of_initialize(answer)
        given = session_id(headers)
        self._has_id = given is not None
        lines = [] if given is None else [client_head.line("mcp-session-id", given)]
        if self.found.version >= "2025-06-18":
            lines.append(client_head.line("mcp-protocol-version", self.found.version))
        self._extra = b"".join(lines)
        await self._tell(messages.notification("notifications/initialized"), timeout_s)

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Raises Fault(upstream_*), SessionGone."""
        identity = self._endpoint.next_id()
        body = messages.legacy_request(identity, call)
        self.under_way += 1
        try:
            head = await self._endpoint.head(call.owner, self._extra)
            answer, _, status = await self._endpoint.converse(
                head, body, identity, call, caller, era.LEGACY, self._answer_back
            )
        except asyncio.CancelledError:
            self._cancel(identity)
            raise
        except Fault as fault:
            if fault.kind is UPSTREAM_TIMEOUT:
                self._cancel(identity)
            if fault.data.get("http") == 404 and self._has_id:
                raise SessionGone from None
            raise
        finally:
            self.under_way -= 1
            self.last_used = clock.monotonic()
        if status == 404 and self._has_id:
            raise SessionGone
        return answer

    def _cancel(self, identity: int) -> None:
        """A closed connection means nothing to a legacy server, so it is told."""
        self._endpoint.politely(self._tell(messages.cancelled(identity), COURTESY_S))

    async def _answer_back(self, body: bytes) -> None:
        await self._tell(body, COURTESY_S)

    async def _tell(self, body: bytes, timeout_s: float) -> None:
        status = await self._endpoint.tell(await self._endpoint.head(self._owner, self._extra), body, timeout_s)
        if status not in (200, 202, 204):
            _log.info("upstream_refused_notification", upstream=self._endpoint.target.id, http=status)

    async def end(self) -> None:
        """DELETE; an upstream that does not allow it (405) ends the session when it likes."""
        if not self._has_id:
            return
        try:
            head = await self._endpoint.head(self._owner, self._extra, "DELETE")
            await self._endpoint.tell(head, b"", COURTESY_S)
        except Fault as fault:
            _log.debug("session_not_ended", upstream=self._endpoint.target.id, code=fault.kind.code)


class Sessions:
    """The sessions of one link, each opened once however many calls want it at the same time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._kept: dict[Key, Session] = {}
        self._opening: dict[Key, asyncio.Task[Session]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def get(self, call: Call) -> Session:
        """The session for `call`. Raises Fault(upstream_*)."""
        key: Key = None
        if self._endpoint.target.interactive and call.owner is not None and call.capabilities != b"{}":
            key = (call.owner, messages.canonical(call.capabilities))
        session = self._kept.get(key)
        if session is not None:
            return session
        opening = self._opening.get(key)
        if opening is None:
            self._make_room()
            opening = asyncio.get_running_loop().create_task(self._open(key, call))
            self._opening[key] = opening
            opening.add_done_callback(lambda _: self._opening.pop(key, None))
        # A caller that gives up must not take the session from the others who wait for it.
        return await asyncio.shield(opening)

    async def _open(self, key: Key, call: Call) -> Session:
        session = Session(self._endpoint, call, key)
        try:
            async with asyncio.timeout(self._endpoint.settings.start_timeout_s):
                await session.open(min(call.timeout_s, self._endpoint.settings.start_timeout_s))
        except TimeoutError:
            raise Fault(UPSTREAM_TIMEOUT, data={"stage": "mcp"}) from None
        except SessionGone:
            raise Fault(UPSTREAM_DOWN, data={"stage": "mcp"}) from None
        self._kept[key] = session
        self._arm()
        return session

    def drop(self, session: Session) -> None:
        """Forget a session that its server forgot."""
        if self._kept.get(session.key) is session:
            del self._kept[session.key]

    def _make_room(self) -> None:
        if len(self._kept) + len(self._opening) < MAX_SESSIONS:
            return
        unused = [session for session in self._kept.values() if not session.under_way]
        if not unused:
            raise Fault(UPSTREAM_BUSY, retry_after_s=1.0)
        self._end(min(unused, key=lambda session: session.last_used))

    def _end(self, session: Session) -> None:
        self.drop(session)
        self._endpoint.politely(session.end())

    def _arm(self) -> None:
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(
                self._endpoint.settings.process_idle_s / 4, self._end_unused
            )

    def _end_unused(self) -> None:
        self._sweep = None
        before = clock.monotonic() - self._endpoint.settings.process_idle_s
        for session in list(self._kept.values()):
            if not session.under_way and session.last_used < before:
                self._end(session)
        if self._kept:
            self._arm()

    async def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for opening in list(self._opening.values()):
            opening.cancel()
        for session in list(self._kept.values()):
            self._end(session)
