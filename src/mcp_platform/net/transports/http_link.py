"""Streamable HTTP to one upstream, in whichever era it speaks: told once, remembered, told anew when it fails.

A request that may have been taken is never sent again; only what an upstream certainly did not take is.
"""

import asyncio
import functools

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.net import client_head
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports import era, messages
from mcp_platform.net.transports.broker_wire import CredentialSource
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.http_endpoint import Endpoint, Nobody
from mcp_platform.net.transports.http_session import Session, SessionGone, Sessions
from mcp_platform.net.transports.model import Answer, Call, Caller, Listener, Listening, Target, Wanted
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN, UPSTREAM_GARBAGE
from mcp_platform.wire import headers, versions

_LEGACY = Found(era.LEGACY, versions.LATEST_LEGACY)
_NEVER_MODERN = frozenset({400, 404, 405, 406, 415})
"""HTTP statuses that a server which became a legacy one gives to a modern request before it acts on it."""


class HttpLink:
    """One upstream over HTTP, as one worker reaches it."""

    def __init__(self, target: Target, client: HttpClient, source: CredentialSource, settings: Upstreams) -> None:
        self._endpoint = Endpoint(target, client, source, settings)
        self._sessions = Sessions(self._endpoint)
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
        session = await self._session(call)
        assert session.found is not None, "a session that is given out is open"
        return session.found

    async def listen(
        self, owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted, listener: Listener
    ) -> Listening:
        """Not yet."""
        raise Fault(UPSTREAM_DOWN)

    async def tell(self, owner: str, capabilities: bytes, method: str, params: bytes) -> None:
        """Not yet."""

    async def close(self) -> None:
        """End every session, whatever is under way. Connections belong to the client, which outlives a link."""
        if self._detecting is not None:
            self._detecting.cancel()
        await self._sessions.close()
        await self._endpoint.close()

    async def retire(self) -> None:
        """Close behind the calls under way: new ones use another link. Each call has its own bound."""
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
            answer, _, _ = await endpoint.converse(head, body, identity, probe, Nobody(), era.MODERN, None)
        except Fault as fault:
            if fault.kind is UPSTREAM_GARBAGE or (fault.kind is UPSTREAM_DOWN and "http" in fault.data):
                return _LEGACY
            raise
        return era.of_discover(answer) or _LEGACY

    # Modern: every request stands alone.

    async def _modern(self, call: Call, caller: Caller) -> Answer:
        endpoint = self._endpoint
        identity = endpoint.next_id()
        head = await endpoint.head(call.owner, _modern_lines(call.method, call.name))
        body = messages.modern_request(identity, call)
        try:
            answer, _, status = await endpoint.converse(head, body, identity, call, caller, era.MODERN, None)
        except Fault as fault:
            if fault.data.get("http") in _NEVER_MODERN:
                self._found = None
            raise
        if answer.error is not None and status in _NEVER_MODERN and not _is_modern(answer.error):
            self._found = None
        return answer

    # Legacy: within a session.

    async def _legacy(self, call: Call, caller: Caller) -> Answer:
        session = await self._session(call)
        try:
            return await session.call(call, caller)
        except SessionGone:
            self._sessions.drop(session)
        session = await self._session(call)
        try:
            return await session.call(call, caller)
        except SessionGone:
            self._sessions.drop(session)
            text = "The MCP server behind this tool forgets its sessions at once; tell the operator."
            raise Fault(UPSTREAM_GARBAGE, text, {"stage": "mcp"}) from None

    async def _session(self, call: Call) -> Session:
        try:
            return await self._sessions.get(call)
        except Fault:
            # It may have changed its era: the next call asks.
            self._found = None
            raise


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
