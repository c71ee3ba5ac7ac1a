"""Legacy sessions (2024-11-05 … 2025-11-25) at an HTTP upstream: opened by `initialize`, told of capabilities once."""

import asyncio
from collections.abc import Callable

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net import client_head
from mcp_platform.net.transports import era, messages
from mcp_platform.net.transports.ears import Ears
from mcp_platform.net.transports.http_endpoint import COURTESY_S, Endpoint, Manner, session_id
from mcp_platform.net.transports.http_resume import last_event_line
from mcp_platform.net.transports.http_stream import StandingStream
from mcp_platform.net.transports.log_level import LogLevel
from mcp_platform.net.transports.model import Answer, Call, Caller, Listener, Wanted
from mcp_platform.net.transports.nobody import Nobody
from mcp_platform.net.transports.offers import LIST_CHANGES, of_capabilities
from mcp_platform.net.transports.sessions import Key
from mcp_platform.net.transports.switchboard import Switchboard
from mcp_platform.net.transports.watch import Ear
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_LOST, UPSTREAM_TIMEOUT

STAND_S = 1.0
"""Seconds the first call of a principal's own session waits for the session's stream, on which some servers ask."""
_OLD = frozenset({400, 404, 405})
"""HTTP statuses under which `initialize` is refused by a server that may speak HTTP+SSE (2025-11-25, transports)."""
_log = Log(__name__)


class SessionGone(Exception):
    """The upstream no longer knows the session (HTTP 404); it did not take the request."""


class Session:
    """One legacy session."""

    def __init__(
        self, endpoint: Endpoint, call: Call, key: Key, announced: Callable[[str], None], gone: Callable[[], None]
    ) -> None:
        self.key = key
        self.gone = False
        self.under_way = 0
        self.last_used = clock.monotonic()
        self.found: era.Found | None = None
        self._endpoint = endpoint
        self._owner = call.owner
        self._capabilities = b"{}" if key is None else call.capabilities
        self._client_info = None if key is None else call.client_info
        self._announced = announced
        self._on_gone = gone
        self._extra = b""
        self._has_id = False
        self._forgotten = False
        self._board = Switchboard(self._reply, self._heard, shared=key is None)
        self._ears = Ears(self._ask)
        self._level = LogLevel(self._ask)
        self._manner = Manner(era.LEGACY, back=self._answer_back)
        self._stream: StandingStream | None = None

    @property
    def forgotten(self) -> bool:
        """Whether the server said that it does not know the session (any more): it took nothing of what was sent."""
        return self._forgotten

    @property
    def busy(self) -> bool:
        return self.under_way > 0 or len(self._ears) > 0

    async def open(self, timeout_s: float) -> None:
        """Ready for calls, or nothing is left of it. Raises Fault(upstream_*)."""
        try:
            await self._open(timeout_s)
        except BaseException:
            self._leave(Fault(UPSTREAM_LOST))
            self._endpoint.politely(self.end())
            raise

    async def _open(self, timeout_s: float) -> None:
        """`initialize`, then `notifications/initialized`."""
        identity = self._endpoint.next_id()
        body = messages.initialize(identity, self._capabilities, self._client_info)
        opening = Call(method="initialize", params=b"{}", owner=self._owner, timeout_s=timeout_s)
        head = await self._endpoint.head(self._owner, b"")
        answer, headers, status = await self._endpoint.converse(head, body, identity, opening, Nobody(), self._manner)
        if answer.error is not None and status in _OLD:
            text = "The MCP server behind this tool answered neither `server/discover` nor `initialize`; is it one?"
            raise Fault(UPSTREAM_GARBAGE, text, {"stage": "mcp", "http": status})
        self.found = era.of_initialize(answer)
        self._ears.offers = of_capabilities(self.found.capabilities)
        given = session_id(headers)
        self._has_id = given is not None
        lines = [] if given is None else [client_head.line("mcp-session-id", given)]
        if self.found.version >= "2025-06-18":
            lines.append(client_head.line("mcp-protocol-version", self.found.version))
        self._extra = b"".join(lines)
        self._manner = Manner(
            era.LEGACY,
            back=self._answer_back,
            heard=self._heard,
            board=self._board,
            resume=self._stream_head,
            batches=self.found.version == messages.BATCHES,
        )
        await self._tell(messages.notification("notifications/initialized"), timeout_s)
        if self.key is not None:
            await self._stand_for_questions()

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Raises Fault(upstream_*), SessionGone."""
        self.under_way += 1
        try:
            if call.log_level is not None and self.key is not None and self._ears.offers.logging:
                await self._level.be(call.log_level)
            return await self._call(call, caller)
        finally:
            self.under_way -= 1
            self.last_used = clock.monotonic()

    async def _call(self, call: Call, caller: Caller) -> Answer:
        identity = self._endpoint.next_id()
        body = messages.legacy_request(identity, call)
        try:
            head = await self._endpoint.head(call.owner, self._extra)
            answer, _, status = await self._endpoint.converse(head, body, identity, call, caller, self._manner)
        except asyncio.CancelledError:
            self._cancel(identity)
            raise
        except Fault as fault:
            if fault.kind is UPSTREAM_TIMEOUT:
                self._cancel(identity)
            if fault.data.get("http") == 404 and self._has_id:
                self._forgotten = True
                raise SessionGone from None
            raise
        if status == 404 and self._has_id:
            self._forgotten = True
            raise SessionGone
        return answer

    def _cancel(self, identity: int) -> None:
        """A closed connection means nothing to a legacy server, so it is told."""
        self._endpoint.politely(self._tell(messages.cancelled(identity), COURTESY_S))

    async def _ask(self, call: Call) -> Answer:
        """A request of the platform's own, on behalf of whoever the session belongs to."""
        try:
            return await self._call(msgspec.structs.replace(call, owner=self._owner), Nobody())
        except SessionGone:
            self._lost(Fault(UPSTREAM_LOST))
            raise Fault(UPSTREAM_LOST) from None

    async def tell(self, method: str, params: bytes) -> None:
        """A notification of the client's. Raises Fault(upstream_*)."""
        await self._tell(messages.notification(method, params), COURTESY_S)

    async def _answer_back(self, body: bytes) -> None:
        await self._tell(body, COURTESY_S)

    async def _tell(self, body: bytes, timeout_s: float) -> None:
        status = await self._endpoint.tell(await self._endpoint.head(self._owner, self._extra), body, timeout_s)
        if status not in (200, 202, 204):
            _log.info("upstream_refused_notification", upstream=self._endpoint.target.id, http=status)

    # What the server says of its own accord.

    async def attend(self, wanted: Wanted, listener: Listener) -> Ear:
        """Raises Fault(upstream_*), which leaves the session `forgotten` where the server no longer knows it."""
        if self._ears.offers.of(wanted) != Wanted() and not await self._stand():
            if self._stream is not None and self._stream.status == 404 and self._has_id:
                # That it has no streams, or not this session: a request tells.
                await self._ask(Call("ping", b"{}", timeout_s=COURTESY_S))
            # It declares changes and has no way to tell them: nothing is honoured, and nothing is wrong.
            self._ears.offers = msgspec.structs.replace(
                self._ears.offers, tools=False, prompts=False, resources=False, subscribe=False
            )
        return await self._ears.add(wanted, listener)

    async def _stand(self) -> bool:
        """Whether the session's stream is open. Raises Fault(upstream_*)."""
        if self._stream is None:
            assert self.found is not None, "only an open session has a stream"
            stream = StandingStream(
                self._endpoint,
                self._stream_head,
                self._board.take,
                self._ears.missed,
                self._lost,
                batches=self.found.version == messages.BATCHES,
            )
            stream.start()
            self._stream = stream
        stream = self._stream
        try:
            return await stream.offered()
        except Fault:
            if self._stream is stream:
                self._stream = None  # the next who needs it tries again
            raise

    async def _stand_for_questions(self) -> None:
        """Some servers ask on this stream during a call. One that is slow to open it is not waited for."""
        try:
            async with asyncio.timeout(STAND_S):
                await self._stand()
        except (Fault, TimeoutError) as error:
            _log.debug("session_without_stream", upstream=self._endpoint.target.id, why=type(error).__name__)

    async def _stream_head(self, last_id: str | None) -> bytes:
        extra = self._extra if last_id is None else self._extra + last_event_line(last_id)
        return await self._endpoint.head(self._owner, extra, "GET")

    def _heard(self, method: str, params: bytes) -> None:
        if method in LIST_CHANGES:
            self._announced(method)
        self._ears.heard(method, params)

    def _reply(self, body: bytes) -> None:
        self._endpoint.politely(self._tell(body, COURTESY_S))

    # Its end.

    def _lost(self, fault: Fault) -> None:
        """The server forgot the session, or cannot be heard any more: the next call opens another."""
        self._forgotten = self._forgotten or fault.data.get("http") == 404
        self._leave(fault)
        self._on_gone()

    def _leave(self, fault: Fault) -> None:
        self.gone = True
        if self._stream is not None:
            self._stream.close()
        self._ears.end(fault)

    async def end(self) -> None:
        """DELETE; an upstream that does not allow it (405) ends the session when it likes."""
        self._leave(Fault(UPSTREAM_LOST))
        if not self._has_id or self._forgotten:
            return
        try:
            head = await self._endpoint.head(self._owner, self._extra, "DELETE")
            await self._endpoint.tell(head, b"", COURTESY_S)
        except Fault as fault:
            _log.debug("session_not_ended", upstream=self._endpoint.target.id, code=fault.kind.code)
