"""Streamable HTTP to one upstream, in whichever era it speaks: told once, remembered, told anew when it fails.

A request that may have been taken is never sent again; only what an upstream certainly did not take is. A server that
knows no streamable HTTP is tried with HTTP+SSE (2025-11-25, basic/transports, backwards compatibility).
"""

import asyncio
import functools
from collections.abc import Callable

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.net import client_head
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports import era, messages
from mcp_platform.net.transports.broker_wire import CredentialSource
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.http_endpoint import Endpoint, Manner
from mcp_platform.net.transports.http_listen import HttpSubscriptions
from mcp_platform.net.transports.http_session import Session, SessionGone
from mcp_platform.net.transports.model import Announced, Answer, Call, Caller, Listener, Target, Wanted
from mcp_platform.net.transports.nobody import Nobody
from mcp_platform.net.transports.offers import LIST_CHANGES, TOOLS
from mcp_platform.net.transports.sessions import Key, Sessions, key_of
from mcp_platform.net.transports.sse_link import SseLink
from mcp_platform.net.transports.subscription import METHOD as LISTEN
from mcp_platform.net.transports.watch import Ear
from mcp_platform.net.upstream_errors import (
    UPSTREAM_DOWN,
    UPSTREAM_GARBAGE,
    UPSTREAM_LIST_STALE,
    UPSTREAM_TIMEOUT,
)
from mcp_platform.wire import headers, versions

_LEGACY = Found(era.LEGACY, versions.LATEST_LEGACY)
_NEVER_MODERN = frozenset({400, 404, 405, 406, 415})
"""HTTP statuses that a server which became a legacy one gives to a modern request before it acts on it."""
_MAYBE_SSE = frozenset({400, 404, 405})
"""HTTP statuses under which `initialize` is refused by a server of 2024-11-05."""
_HEADER_MISMATCH = -32020


class HttpLink:
    """One upstream over HTTP, as one worker reaches it."""

    def __init__(
        self,
        target: Target,
        client: HttpClient,
        source: CredentialSource,
        settings: Upstreams,
        announced: Announced = lambda upstream, method: None,
    ) -> None:
        self._target = target
        self._announced: Callable[[str], None] = functools.partial(announced, target.id)
        self._endpoint = Endpoint(target, client, source, settings)
        self._sessions: Sessions[Session] = Sessions(settings.process_idle_s, self._start, self._endpoint.politely)
        self._sse = SseLink(target, client, source, settings, announced)
        self._is_sse = False
        self._manner = Manner(era.MODERN, heard=self._heard)
        self._subscriptions = HttpSubscriptions(self._endpoint, _modern_lines(LISTEN, None), self._announced)
        self._found: Found | None = None
        self._detecting: asyncio.Task[Found] | None = None
        self._under_way = 0
        self._unused: asyncio.Event | None = None

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Send one request and wait for its answer. Raises Fault(upstream_*)."""
        self._under_way += 1
        try:
            found = self._found or await self._detect(call)
            if found.era == era.MODERN:
                return await self._modern(call, caller)
            return await self._legacy(call, caller)
        finally:
            self._under_way -= 1
            if not self._under_way and self._unused is not None:
                self._unused.set()

    async def probe(self, timeout_s: float, owner: str | None = None, capabilities: bytes = b"{}") -> Found:
        """Reach the upstream and say what it is. Raises Fault(upstream_*) with `stage` in its data."""
        call = Call(method="ping", params=b"{}", owner=owner, capabilities=capabilities, timeout_s=timeout_s)
        found = self._found or await self._detect(call)
        if found.era == era.MODERN:
            return found
        session = await self._session(key_of(self._target, owner, capabilities), call)
        if session is None:
            return await self._sse.probe(timeout_s, owner, capabilities)
        assert session.found is not None, "a session that is given out is open"
        return session.found

    async def attend(
        self, owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted, listener: Listener
    ) -> Ear:
        """One ear, which does not mend itself. Raises Fault(upstream_*)."""
        timeout_s = self._endpoint.settings.start_timeout_s
        call = Call("ping", b"{}", owner=owner, capabilities=capabilities, client_info=client_info, timeout_s=timeout_s)
        found = self._found or await self._detect(call)
        if found.era == era.MODERN:
            try:
                return await self._subscriptions.attend(owner, capabilities, client_info, wanted, listener)
            except Fault as fault:
                self._doubt(fault)
                raise
        kept = True
        while session := await self._session(key_of(self._target, owner, capabilities), call):
            try:
                return await session.attend(wanted, listener)
            except Fault:
                if not (kept and session.forgotten):
                    raise
            # It was from before the server was started again: as a call does, listen in a new one.
            self._sessions.drop(session)
            kept = False
        return await self._sse.attend(owner, capabilities, client_info, wanted, listener)

    async def tell(self, owner: str, capabilities: bytes, method: str, params: bytes) -> None:
        """A notification of a client to its own session, where there is one. Raises Fault(upstream_*)."""
        if self._is_sse:
            await self._sse.tell(owner, capabilities, method, params)
            return
        key = key_of(self._target, owner, capabilities)
        session = self._sessions.kept(key)
        if key is not None and session is not None:
            await session.tell(method, params)

    async def close(self) -> None:
        """End every session, whatever is under way. Connections belong to the client, which outlives a link."""
        if self._detecting is not None:
            self._detecting.cancel()
        await self._subscriptions.close()
        await self._sessions.close()
        await self._sse.close()
        await self._endpoint.close()

    async def retire(self) -> None:
        """Close behind the calls under way: new ones use another link. Each call has its own bound."""
        await self._subscriptions.close()
        if self._under_way:
            self._unused = asyncio.Event()
            await self._unused.wait()
        await self.close()

    # Which era.

    async def _detect(self, call: Call) -> Found:
        """However many calls come first, the upstream is asked once."""
        if self._detecting is None:
            self._detecting = asyncio.get_running_loop().create_task(self._ask_era(call))
            self._detecting.add_done_callback(self._detected)
        # A caller that gives up must not take the answer from the others who wait for it.
        return await asyncio.shield(self._detecting)

    def _detected(self, task: "asyncio.Task[Found]") -> None:
        self._detecting = None
        if not task.cancelled() and task.exception() is None:
            self._found = task.result()

    async def _ask_era(self, call: Call) -> Found:
        endpoint = self._endpoint
        identity = endpoint.next_id()
        timeout_s = min(call.timeout_s, endpoint.settings.start_timeout_s)
        probe = Call(method="server/discover", params=b"{}", owner=call.owner, timeout_s=timeout_s)
        head = await endpoint.head(call.owner, _modern_lines(probe.method, None))
        body = messages.discover(identity)
        try:
            answer, _, _ = await endpoint.converse(head, body, identity, probe, Nobody(), Manner(era.MODERN))
        except Fault as fault:
            if fault.kind is UPSTREAM_GARBAGE or (fault.kind is UPSTREAM_DOWN and "http" in fault.data):
                return _LEGACY
            if fault.kind is UPSTREAM_TIMEOUT:
                raise Fault(UPSTREAM_TIMEOUT, data={"stage": "mcp"}) from None
            raise
        return era.of_discover(answer) or _LEGACY

    # Modern: every request stands alone.

    async def _modern(self, call: Call, caller: Caller) -> Answer:
        endpoint = self._endpoint
        identity = endpoint.next_id()
        lines = _modern_lines(call.method, call.name)
        if call.param_headers:
            lines += _param_lines(call.param_headers)
        head = await endpoint.head(call.owner, lines)
        body = messages.modern_request(identity, call)
        try:
            answer, _, status = await endpoint.converse(head, body, identity, call, caller, self._manner)
        except Fault as fault:
            self._doubt(fault)
            raise
        if answer.error is not None:
            self._look_at(answer.error, status)
        return answer

    def _look_at(self, error: bytes, status: int) -> None:
        """Raises Fault(upstream_list_stale)."""
        if status in _NEVER_MODERN and not _is_modern(error):
            self._found = None
        elif messages.error_code(error) == _HEADER_MISMATCH:
            # We send what its list told us to send, so its list is another by now.
            self._announced(TOOLS)
            raise Fault(UPSTREAM_LIST_STALE, retry_after_s=1.0)

    def _doubt(self, fault: Fault) -> None:
        """It may have changed its era: the next call asks."""
        if fault.data.get("http") in _NEVER_MODERN:
            self._found = None

    def _heard(self, method: str, params: bytes) -> None:
        if method in LIST_CHANGES:
            self._announced(method)

    # Legacy: within a session.

    async def _legacy(self, call: Call, caller: Caller) -> Answer:
        key = key_of(self._target, call.owner, call.capabilities)
        for _ in range(2):
            session = await self._session(key, call)
            if session is None:
                return await self._over_sse(call, caller)
            try:
                return await session.call(call, caller)
            except SessionGone:
                self._sessions.drop(session)
        text = "The MCP server behind this tool forgets its sessions at once; tell the operator."
        raise Fault(UPSTREAM_GARBAGE, text, {"stage": "mcp"})

    async def _session(self, key: Key, call: Call) -> Session | None:
        """The session for a call; None where the server speaks HTTP+SSE. Raises Fault(upstream_*)."""
        if self._is_sse:
            return None
        try:
            return await self._sessions.get(key, call)
        except Fault as fault:
            self._found = None  # it may have changed its era: the next call asks
            if fault.data.get("http") not in _MAYBE_SSE:
                raise
            await self._try_sse(fault)
            return None

    async def _try_sse(self, refusal: Fault) -> None:
        """Raises `refusal` where the server does not speak HTTP+SSE either."""
        try:
            await self._sse.probe(self._endpoint.settings.start_timeout_s)
        except Fault:
            raise refusal from None
        self._is_sse = True
        self._found = _LEGACY

    async def _over_sse(self, call: Call, caller: Caller) -> Answer:
        try:
            return await self._sse.call(call, caller)
        except Fault:
            if not self._sse.is_open:
                # It may have become another: the next call asks.
                self._is_sse, self._found = False, None
            raise

    async def _start(self, key: Key, call: Call) -> Session:
        """Raises Fault(upstream_*)."""
        session = Session(self._endpoint, call, key, self._announced, lambda: self._sessions.drop(session))
        timeout_s = self._endpoint.settings.start_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await session.open(min(call.timeout_s, timeout_s))
        except TimeoutError:
            raise Fault(UPSTREAM_TIMEOUT, data={"stage": "mcp"}) from None
        except SessionGone:
            raise Fault(UPSTREAM_DOWN, data={"stage": "mcp"}) from None
        except Fault as fault:
            if fault.kind is UPSTREAM_TIMEOUT:
                raise Fault(UPSTREAM_TIMEOUT, data={"stage": "mcp"}) from None
            raise
        return session


def _is_modern(error: bytes) -> bool:
    """Whether an error under HTTP 4xx is one that 2026-07-28 puts there."""
    return era.is_modern_error(error) or messages.error_code(error) in (-32601, -32602)


@functools.lru_cache(maxsize=4096)
def _modern_lines(method: str, name: str | None) -> bytes:
    """What 2026-07-28 wants in the head; the same for each call of one tool."""
    lines = [
        client_head.line(headers.VERSION, versions.MODERN),
        client_head.line(headers.METHOD, headers.encode_value(method)),
    ]
    if name is not None:
        lines.append(client_head.line(headers.NAME, headers.encode_value(name)))
    return b"".join(lines)


def _param_lines(given: tuple[tuple[str, str], ...]) -> bytes:
    """`Mcp-Param-*`: the values come from a caller, so they are encoded where they could end a line."""
    return b"".join(
        client_head.line(name, headers.encode_value(value))
        for name, value in given
        if name.lower().startswith(headers.PARAM_PREFIX)
    )
