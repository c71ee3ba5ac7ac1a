"""The HTTP/1.1 server: accepts from inherited listening sockets, owns its connections, keeps the clock, drains.

Several worker processes share one listening socket; one that holds more than its share leaves new connections to the
others. It must never start a thread, and closes no listening socket: those outlive it.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import replace

from mcp_platform.base import clock
from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.base.log import Log
from mcp_platform.net import errors
from mcp_platform.net.gate import Entry, Gate
from mcp_platform.net.http_answer import AnswerHeads
from mcp_platform.net.http_ceilings import (
    ACCEPTS_PER_WAKE,
    KEEPALIVE_IDLE_S,
    MAX_REFUSING,
    NO_DESCRIPTORS_PAUSE_S,
    SHARE_PAUSE_S,
    SHARE_SLACK,
)
from mcp_platform.net.http_connection import Connection, State
from mcp_platform.net.http_exchange import App, Exchange
from mcp_platform.net.http_surface import Surface
from mcp_platform.net.tls_accept import Handshakes
from mcp_platform.net.tls_errors import HTTP_ON_TLS
from mcp_platform.net.tls_files import Certificate

__all__ = ["App", "Exchange", "HttpServer"]

_log = Log(__name__)
_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class HttpServer:
    """Serves one surface in one process. Make it inside the running loop."""

    def __init__(
        self,
        app: App,
        ceilings: Http,
        *,
        gate: Gate | None,
        always: bytes = b"",
        pages: bytes | None = None,
        name: str,
        tls: Certificate | None = None,
        client: Callable[[str, dict[str, str]], str] | None = None,
        refused: Callable[[Fault, str], None] | None = None,
        refusal_type: str = "application/json",
    ) -> None:
        """`always`: header lines for EVERY answer, each with CRLF; `pages`: those of HTML instead. `gate` None: the
        ceilings hold for this process.
        `client` says whose a request is that comes from a peer with these headers; None: the peer's. `refused` is told
        of every refusal that the server makes by itself, with the client's address."""
        self._loop = asyncio.get_running_loop()
        self._surface = Surface(app, ceilings, name, self._loop, self._loop.time, AnswerHeads(always, pages))
        self._surface.refusal_type = refusal_type
        self._surface.heads.at(clock.now())
        if client is not None:
            self._surface.client = client
        if refused is not None:
            self._surface.refused = refused
        self._tls = tls
        self._plain = replace(self._surface, heads=AnswerHeads(_without_hsts(always)))
        """For those who speak plain HTTP where TLS is spoken; HSTS must not be said to them (RFC 6797 §7.2)."""
        self._handshakes = Handshakes(name)
        self._connections: set[Connection] = set()
        self._refusing: set[Connection] = set()
        """Connections over the limit that are being told so; the gate does not count them."""
        self._joining: set[asyncio.Task[None]] = set()
        self._listening: list[socket.socket] = []
        self._gate = gate or Gate.alone(ceilings.max_connections, ceilings.max_connections_per_address)
        self._empty = asyncio.Event()
        self._tick_s = max(0.01, min(0.5, _shortest(ceilings) / 4))
        self._timer = self._loop.call_later(self._tick_s, self._tick)

    @property
    def open_connections(self) -> int:
        """Connections that this process serves."""
        return len(self._connections)

    @property
    def open_requests(self) -> int:
        """Handlers under way, also those whose client has left."""
        return len(self._surface.tasks)

    @property
    def held_bytes(self) -> int:
        """Bytes of unfinished request bodies."""
        return self._surface.held

    def listen(self, sock: socket.socket) -> None:
        """Accept from `sock`, which listens already: TCP over IPv4 or IPv6, or a Unix socket."""
        sock.setblocking(False)
        self._listening.append(sock)
        self._loop.add_reader(sock, self._accept, sock)

    # Accepting.

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_WAKE):
            if self._above_share():
                self._pause(sock, SHARE_PAUSE_S)
                return
            if not self._accept_one(sock):
                return

    def _above_share(self) -> bool:
        share = self._gate.share()
        return share.mine * share.workers > share.total + SHARE_SLACK * share.workers

    def _accept_one(self, sock: socket.socket) -> bool:
        """False when there is nothing to accept, or nothing to accept it with."""
        try:
            client, peer = sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno not in _SHORTAGE:
                raise
            _log.warning("no_descriptors", error=errno.errorcode[error.errno or 0], open=len(self._connections))
            self._pause(sock, NO_DESCRIPTORS_PAUSE_S)
            return False
        client.setblocking(False)
        address = _address(peer) if sock.family != socket.AF_UNIX else ""
        if address:
            _watch_peer(client)
        entry = self._gate.enter(address)
        if entry is Entry.OPEN:
            self._join(client, Connection(self._surface, address, self._lost))
        elif len(self._refusing) < MAX_REFUSING:
            kind = errors.HTTP_ADDRESS_BUSY if entry is Entry.ADDRESS_FULL else errors.HTTP_BUSY
            self._join(client, _Refused(self._surface, address, self._lost, kind))
        else:
            client.close()
        return True

    def _pause(self, sock: socket.socket, pause_s: float) -> None:
        """Leave new connections to other workers, or to a time when there are descriptors again."""
        self._loop.remove_reader(sock)
        self._loop.call_later(pause_s, self._resume, sock)

    def _resume(self, sock: socket.socket) -> None:
        """Take one connection whatever the share: if others live, they have taken what waited by now."""
        if self._surface.draining or sock.fileno() < 0:
            return
        self._loop.add_reader(sock, self._accept, sock)
        self._accept_one(sock)

    def _join(self, client: socket.socket, connection: Connection) -> None:
        (self._refusing if isinstance(connection, _Refused) else self._connections).add(connection)
        connecting = self._connect(client, connection) if self._tls is None else self._secure(client, connection)
        task = self._loop.create_task(connecting)
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _connect(self, client: socket.socket, connection: Connection) -> None:
        """Give the socket to the loop; done in one turn of it."""
        try:
            await self._loop.connect_accepted_socket(lambda: connection, client)
        except OSError:
            client.close()  # it left between accept and now
            self._lost(connection)

    async def _secure(self, client: socket.socket, connection: Connection) -> None:
        """Finish the handshake within the time for headers, then as `_connect`. Whoever speaks plain HTTP is told."""
        assert self._tls is not None, "only a listener with a certificate comes here"
        joined = False
        try:
            timeout_s = self._surface.ceilings.header_timeout_s
            until = self._loop.time() + timeout_s
            begins = await self._handshakes.begins(client, timeout_s)
            if begins:
                left_s = max(0.05, until - self._loop.time())
                await self._handshakes.finish(client, connection, self._tls.context, left_s)
                joined = True
            elif begins is not None:
                self._lost(connection)
                connection = _Refused(self._plain, connection.address, self._lost, HTTP_ON_TLS)
                if len(self._refusing) < MAX_REFUSING:
                    self._refusing.add(connection)
                    await self._loop.connect_accepted_socket(lambda: connection, client)
                    joined = True
        except (OSError, TimeoutError) as error:
            self._handshakes.failed(error)
        finally:
            if not joined:
                client.close()
                self._lost(connection)

    def _lost(self, connection: Connection) -> None:
        self._refusing.discard(connection)
        if connection in self._connections:
            self._connections.remove(connection)
            self._gate.leave(connection.address)
        if not self._connections:
            self._empty.set()

    # The clock.

    def _tick(self) -> None:
        """Look at every connection's time-outs: 0.1 µs each, where a timer per request would cost 1 µs."""
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        self._surface.heads.at(clock.now())
        now = self._loop.time()
        if self._tls is not None:
            self._plain.heads.at(clock.now())
            self._tls.follow(now)
            self._handshakes.tell(now)
        for connections in (self._connections, self._refusing):
            for connection in [each for each in connections if each.is_due(now)]:
                connection.sweep(now)

    # Ending.

    async def drain(self, timeout_s: float) -> None:
        """Stop in order: accept no more, close idle connections, let requests finish, cut what is left at the bound."""
        self._stop_accepting()
        self._surface.draining = True
        for connection in [*self._connections, *self._refusing]:
            if connection.state in (State.IDLE, State.LINGERING):
                connection.close()
        if self._tls is not None:
            for handshake in self._joining:
                handshake.cancel()
        await self._until_empty(timeout_s)
        self.close()
        if self._surface.tasks or self._joining:
            await asyncio.wait([*self._surface.tasks, *self._joining], timeout=1.0)
        await asyncio.sleep(0)  # one turn of the loop, in which cut connections are told so

    def close(self) -> None:
        """Cut everything now."""
        self._stop_accepting()
        self._surface.draining = True
        self._timer.cancel()
        for task in self._surface.tasks:
            task.cancel()
        for connection in [*self._connections, *self._refusing]:
            connection.abort()

    def _stop_accepting(self) -> None:
        listening, self._listening = self._listening, []
        for sock in listening:
            self._loop.remove_reader(sock)

    async def _until_empty(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self._connections or self._surface.tasks:
                    self._empty.clear()
                    if self._connections:
                        await self._empty.wait()
                    else:
                        await asyncio.wait(self._surface.tasks)
        except TimeoutError:
            _log.warning("drain_cut", connections=len(self._connections), requests=len(self._surface.tasks))


class _Refused(Connection):
    """A connection over the limit, or without TLS where TLS is spoken: it is told so and closed."""

    __slots__ = ("_kind",)

    def __init__(self, surface: Surface, address: str, on_lost: Callable[[Connection], None], kind: ErrorKind) -> None:
        super().__init__(surface, address, on_lost)
        self._kind = kind

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.refuse(Fault(self._kind, retry_after_s=None if self._kind is HTTP_ON_TLS else 1.0))


def _without_hsts(always: bytes) -> bytes:
    lines = always.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.lower().startswith(b"strict-transport-security:"))


def _address(peer: tuple[str, int]) -> str:
    """The textual address; an IPv4 address that came over an IPv6 socket is an IPv4 address."""
    address = peer[0].partition("%")[0]
    return address[7:] if address.startswith("::ffff:") and "." in address else address


def _watch_peer(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _shortest(ceilings: Http) -> float:
    return min(ceilings.header_timeout_s, ceilings.body_timeout_s, ceilings.idle_timeout_s, ceilings.write_timeout_s)
