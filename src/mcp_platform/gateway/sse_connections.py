"""The open HTTP+SSE connections of one worker, and the ids by which messages find them."""

import asyncio

import msgspec

from mcp_platform.base import ids
from mcp_platform.base.errors import Fault
from mcp_platform.gateway.client_stream import ClientStream
from mcp_platform.gateway.exchange import Exchange
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.inner_exchange import InnerExchange
from mcp_platform.gateway.sealed import Seal
from mcp_platform.gateway.sessions import Session


class SseId(msgspec.Struct, frozen=True, array_like=True):
    """What the address to post to says."""

    principal: str
    agent: str
    endpoint: str
    slot: int
    stream: str


class SseConnection:
    """One open stream. To the hub it is a voice that has nothing to say and can be cut."""

    def __init__(self, exchange: Exchange, principal: str) -> None:
        self.exchange = exchange
        self.name = ids.random_text(16)
        self.stream = ClientStream("", principal, b"", answers=False, primes=False, grown=lambda stream, size: None)
        self.stream.forget()
        self.session: Session | None = None
        self.session_id: str | None = None
        self.running: dict[asyncio.Task[None], InnerExchange] = {}
        """Messages that are being answered."""

    def write(self, data: bytes) -> None:
        """Ready events."""
        if self.stream.connected and not self.exchange.gone:
            self.exchange.write(data)

    def tell(self, method: str, params: dict[str, msgspec.Raw]) -> None:
        """What there is to tell is told to the session."""

    def cut(self, fault: Fault | None) -> None:
        self.stream.finish()

    def keep_alive_if_due(self, now: float) -> None:
        self.stream.keep_alive_if_due(now)


class SseConnections:
    """All of one worker."""

    def __init__(self, seal: Seal[SseId], slot: int) -> None:
        self._seal = seal
        self._slot = slot
        self._open: dict[str, SseConnection] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, exchange: Exchange, principal: str) -> SseConnection:
        connection = SseConnection(exchange, principal)
        self._open[connection.name] = connection
        return connection

    def address(self, connection: SseConnection, identity: Identity, endpoint: str) -> str:
        """The sealed id to post with."""
        principal, agent = identity.principal.id, identity.agent
        return self._seal.seal(SseId(principal, agent, endpoint, self._slot, connection.name))

    def read(self, text: str, identity: Identity, endpoint: str) -> SseId | None:
        """What an id says, if it was made for this caller at this endpoint."""
        found = self._seal.open(text)
        whose = (identity.principal.id, identity.agent, endpoint)
        return found if found is not None and (found.principal, found.agent, found.endpoint) == whose else None

    def find(self, sse_id: SseId) -> SseConnection | None:
        return self._open.get(sse_id.stream)

    def end(self, connection: SseConnection) -> None:
        """The stream is over: nobody hears answers any more."""
        del self._open[connection.name]
        connection.stream.finish()
        for inner in list(connection.running.values()):
            inner.left()
