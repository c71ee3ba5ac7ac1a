"""HTTP+SSE (2024-11-05) to one upstream: one connection shared by all, or one for each (principal, capability set)."""

import asyncio
import functools
from collections.abc import Callable

from mcp_platform.base import clock
from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports import era
from mcp_platform.net.transports.broker_wire import CredentialSource
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.http_endpoint import Endpoint
from mcp_platform.net.transports.model import Announced, Answer, Call, Caller, Listener, Target, Wanted
from mcp_platform.net.transports.peer import Peer
from mcp_platform.net.transports.sessions import Key, Sessions, key_of
from mcp_platform.net.transports.sse_pipe import SsePipe
from mcp_platform.net.transports.watch import Ear
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN, UPSTREAM_LOST, UPSTREAM_TIMEOUT


class SseConnection:
    """One session: the pipe of one GET, and the client side of MCP over it."""

    def __init__(self, endpoint: Endpoint, call: Call, key: Key, announced: Callable[[str], None]) -> None:
        self.key = key
        self.under_way = 0
        self.last_used = clock.monotonic()
        settings = endpoint.settings
        self.peer = Peer(endpoint.target.id, shared=key is None, max_call_s=settings.max_call_s, announced=announced)
        self._capabilities = b"{}" if key is None else call.capabilities
        self._client_info = None if key is None else call.client_info
        self._pipe = SsePipe(endpoint, call.owner, self.peer.line, self.peer.fail, self.peer.ended)

    @property
    def gone(self) -> bool:
        return self.peer.gone

    @property
    def busy(self) -> bool:
        return self.under_way > 0 or self.peer.listened_to

    async def open(self, timeout_s: float) -> None:
        """Raises Fault(upstream_*)."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._pipe.open()
            self.peer.attach(self._pipe)
            await self.peer.open(self._capabilities, self._client_info, era.LEGACY, timeout_s)
        except TimeoutError:
            await self._pipe.close()
            raise Fault(UPSTREAM_TIMEOUT, data={"stage": "mcp"}) from None
        except BaseException as error:
            await self._pipe.close()
            if isinstance(error, Fault) and error.kind is UPSTREAM_LOST:
                raise Fault(UPSTREAM_DOWN, data={"stage": "mcp"}) from None
            raise

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Raises Fault(upstream_*)."""
        self.under_way += 1
        try:
            return await self.peer.call(call, caller)
        finally:
            self.under_way -= 1
            self.last_used = clock.monotonic()

    async def end(self) -> None:
        """The server learns of it by the end of the stream."""
        await self._pipe.close()


class SseLink:
    """One upstream over HTTP+SSE, as one worker reaches it."""

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
        self._sessions: Sessions[SseConnection] = Sessions(
            settings.process_idle_s, self._start, self._endpoint.politely
        )
        self._under_way = 0
        self._unused: asyncio.Event | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is any connection."""
        return self._sessions.any_kept

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Send one request and wait for its answer. Raises Fault(upstream_*)."""
        self._under_way += 1
        try:
            session = await self._sessions.get(key_of(self._target, call.owner, call.capabilities), call)
            return await session.call(call, caller)
        finally:
            self._under_way -= 1
            if not self._under_way and self._unused is not None:
                self._unused.set()

    async def probe(self, timeout_s: float, owner: str | None = None, capabilities: bytes = b"{}") -> Found:
        """Reach the upstream and say what it is. Raises Fault(upstream_*) with `stage` in its data."""
        call = Call(method="ping", params=b"{}", owner=owner, capabilities=capabilities, timeout_s=timeout_s)
        session = await self._sessions.get(key_of(self._target, owner, capabilities), call)
        assert session.peer.found is not None, "a session that is given out is open"
        return session.peer.found

    async def attend(
        self, owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted, listener: Listener
    ) -> Ear:
        """One ear, which does not mend itself. Raises Fault(upstream_*)."""
        timeout_s = self._endpoint.settings.start_timeout_s
        call = Call("ping", b"{}", owner=owner, capabilities=capabilities, client_info=client_info, timeout_s=timeout_s)
        session = await self._sessions.get(key_of(self._target, owner, capabilities), call)
        return await session.peer.attend(owner, capabilities, client_info, wanted, listener)

    async def tell(self, owner: str, capabilities: bytes, method: str, params: bytes) -> None:
        """A notification of a client to its own session, where there is one. Raises Fault(upstream_*)."""
        key = key_of(self._target, owner, capabilities)
        session = self._sessions.kept(key)
        if key is not None and session is not None:
            await session.peer.tell(method, params)

    async def _start(self, key: Key, call: Call) -> SseConnection:
        session = SseConnection(self._endpoint, call, key, self._announced)
        timeout_s = self._endpoint.settings.start_timeout_s
        await session.open(min(call.timeout_s, timeout_s))
        return session

    async def close(self) -> None:
        """End every session, whatever is under way."""
        await self._sessions.close()
        await self._endpoint.close()

    async def retire(self) -> None:
        """Close behind the calls under way: new ones use another link. Each call has its own bound."""
        if self._under_way:
            self._unused = asyncio.Event()
            await self._unused.wait()
        await self.close()
