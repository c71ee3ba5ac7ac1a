"""The pooled HTTP/1.1 client for upstreams: connections by origin, each bounded in number and in time.

It follows no redirect, reads no proxy from the environment, decompresses nothing, always verifies certificates, and
never sends a request a second time.
"""

import asyncio
import ssl
from collections import deque

from mcp_platform.base import clock
from mcp_platform.base.config.addresses import authority
from mcp_platform.base.errors import Fault
from mcp_platform.net import tls as contexts
from mcp_platform.net.client_address import Destination, Origin, Predicate, operator_added, resolve
from mcp_platform.net.client_connection import Connection, ResponseCeilings
from mcp_platform.net.client_exchange import Exchange
from mcp_platform.net.client_trust import Trust, check_pins, context_of, tls_fault
from mcp_platform.net.client_unreached import tell, unreached, unresolved
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY

IDLE_S = 4.0
"""Seconds an unused connection is kept. Servers commonly close at 5 s; whoever closes first cannot lose a request."""
MAX_CONTEXTS = 256
"""Upstreams with a trust of their own whose context is kept: each has some 100 KiB of certificates in it."""
TELL_EVERY_S = 10.0
"""Seconds between two lines in the log about one origin that cannot be reached."""
_WAITERS_PER_CONNECTION = 4
"""Calls that may wait for each connection of a full pool."""


class HttpClient:
    """All connections of one process to its upstreams."""

    def __init__(
        self,
        *,
        max_connections: int = 256,
        connect_timeout_s: float = 5.0,
        idle_s: float = IDLE_S,
        ceilings: ResponseCeilings | None = None,
        allowed: Predicate = operator_added,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._max = max_connections
        self.timeout_s = connect_timeout_s
        self._idle_s = idle_s
        self._ceilings = ceilings or ResponseCeilings()
        self._allowed = allowed
        self._tls = tls
        self._contexts: dict[Trust, ssl.SSLContext] = {}
        self._pools: dict[Origin, _Pool] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def open(self, destination: Destination) -> Exchange:
        """A connection for one exchange; nothing is sent yet.

        Send at once: the connection was checked to be alive now. Raises Fault(upstream_down, upstream_busy,
        upstream_address_refused), each with `stage` in its data.
        """
        pool = self._pools.get(destination.origin)
        if pool is None:
            pool = self._pools[destination.origin] = _Pool(self, destination.origin, self._max)
        connection = pool.take() or await pool.wait()
        return connection.begin()

    @property
    def connections(self) -> int:
        """Open connections, idle ones included."""
        return sum(pool.count for pool in self._pools.values())

    async def close(self) -> None:
        """Close every connection, also those in use."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for pool in self._pools.values():
            pool.shut()
        # abort() is carried out by the loop's next turn; whoever closes wants the sockets gone.
        await asyncio.sleep(0)

    async def connect(self, origin: Origin, pool: "_Pool") -> Connection:
        """Resolve, check, connect, finish TLS, all within the time-out. Raises Fault(upstream_down,
        upstream_address_refused) that says to the operator what it came to."""
        addresses: list[str] = []
        try:
            async with asyncio.timeout(self.timeout_s):
                addresses = await resolve(origin, self._allowed)
                return await self._first_that_connects(origin, addresses, pool)
        except TimeoutError as error:
            if not addresses:
                raise unresolved(origin.host, error) from None
            raise unreached(authority(addresses[-1], origin.port), error, tls=False) from None

    async def _first_that_connects(self, origin: Origin, addresses: list[str], pool: "_Pool") -> Connection:
        loop = asyncio.get_running_loop()
        failure: OSError | None = None
        share_s = self.timeout_s / len(addresses)
        for address in addresses:
            try:
                async with asyncio.timeout(share_s):
                    transport, connection = await loop.create_connection(
                        lambda: Connection(self._ceilings, pool.freed, pool.lost),
                        address,
                        origin.port,
                        ssl=self._context(origin.trust) if origin.scheme == "https" else None,
                        server_hostname=origin.host if origin.scheme == "https" else None,
                        ssl_handshake_timeout=share_s * 0.9 if origin.scheme == "https" else None,
                    )
            except ssl.SSLError as error:
                raise tls_fault(error, authority(address, origin.port)) from error
            except (OSError, TimeoutError) as error:
                failure = error
            else:
                _require_pinned(origin, address, transport, connection)
                return connection
        assert failure is not None, "a name has an address, or is refused"
        raise unreached(authority(addresses[-1], origin.port), failure, tls=origin.scheme == "https") from failure

    def _context(self, trust: Trust | None) -> ssl.SSLContext:
        if trust is None:
            if self._tls is None:
                self._tls = contexts.for_upstream()
            return self._tls
        context = self._contexts.get(trust)
        if context is None:
            while len(self._contexts) >= MAX_CONTEXTS:
                del self._contexts[next(iter(self._contexts))]
            context = self._contexts[trust] = context_of(trust)
        return context

    def idle_began(self) -> None:
        """A connection became idle: see to it that it does not stay so."""
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_s / 4, self._drop_idle)

    def _drop_idle(self) -> None:
        self._sweep = None
        before = clock.monotonic() - self._idle_s
        idle = 0
        for origin, pool in list(self._pools.items()):
            idle += pool.drop_idle(before)
            if not pool.count and not pool.waited_for:
                del self._pools[origin]
        if idle:
            self.idle_began()


def _require_pinned(origin: Origin, address: str, transport: asyncio.BaseTransport, connection: Connection) -> None:
    """Before a byte is sent: whoever has another key gets no credentials."""
    if origin.scheme != "https" or origin.trust is None:
        return
    try:
        shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        check_pins(origin.trust, shown, authority(address, origin.port))
    except Fault:
        connection.shut()
        raise


class _Pool:
    """Connections to one origin."""

    def __init__(self, client: HttpClient, origin: Origin, most: int) -> None:
        self._client = client
        self._origin = origin
        self._most = most
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._opening = 0
        self._tell_at = 0.0
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()

    @property
    def count(self) -> int:
        return len(self._all) + self._opening

    @property
    def waited_for(self) -> bool:
        return bool(self._waiters)

    def take(self) -> Connection | None:
        """The connection used last, because it is the least likely to be stale."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.shut()
        return None

    async def wait(self) -> Connection:
        """A new connection, or where there are as many as may be, the next that is free."""
        if self.count < self._most:
            return await self._open()
        if len(self._waiters) >= self._most * _WAITERS_PER_CONNECTION:
            raise Fault(UPSTREAM_BUSY, data={"stage": "connect"}, retry_after_s=1.0)
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self._client.timeout_s):
                connection = await waiter
        except TimeoutError:
            self._pass_on(waiter)
            raise Fault(UPSTREAM_BUSY, data={"stage": "connect"}, retry_after_s=1.0) from None
        except asyncio.CancelledError:
            self._pass_on(waiter)
            raise
        return connection if connection is not None and connection.usable else await self._open()

    def _pass_on(self, waiter: "asyncio.Future[Connection | None]") -> None:
        """Whoever was given something and no longer wants it gives it to the next."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif waiter.done() and not waiter.cancelled():
            connection = waiter.result()
            if connection is None:
                self._hand_over(None)
            else:
                self.freed(connection)

    async def _open(self) -> Connection:
        self._opening += 1
        try:
            connection = await self._client.connect(self._origin, self)
        except BaseException as error:
            self._opening -= 1
            self._hand_over(None)
            if isinstance(error, Fault):
                self._tell(error)
            raise
        self._opening -= 1
        self._all.add(connection)
        return connection

    def _tell(self, fault: Fault) -> None:
        """Who asked may be an agent, which is not told where the trouble is: the log is."""
        now = clock.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + TELL_EVERY_S
            tell(fault, self._origin.authority)

    def freed(self, connection: Connection) -> None:
        if not self._hand_over(connection):
            self._idle.append(connection)
            self._client.idle_began()

    def lost(self, connection: Connection) -> None:
        if connection in self._all:
            self._all.remove(connection)
            self._hand_over(None)

    def _hand_over(self, connection: Connection | None) -> bool:
        """Give a connection, or with None the right to open one, to whoever waits longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def drop_idle(self, before: float) -> int:
        """Close those idle since `before`; the number that stay."""
        while self._idle and self._idle[0].idle_since < before:
            self._idle.popleft().shut()
        return len(self._idle)

    def shut(self) -> None:
        for connection in list(self._all):
            connection.shut()
        self._idle.clear()
