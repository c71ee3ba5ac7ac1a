"""The broker: hands workers and the upstream-host what a call needs in plaintext, over a Unix socket of ours alone.

What it says is never logged. A server that is only being tried is answered for from memory, while it is tried.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.control.entry import actor_of
from mcp_platform.features.upstreams.tables import Access
from mcp_platform.net.frames import FrameStream
from mcp_platform.net.transports.broker_wire import CREDENTIALS, LAUNCH, RENEW, BrokerReply, BrokerRequest, LaunchWire

_log = Log("control.broker")
MAX_UNDER_WAY = 256
"""Questions of one connection that are being answered: a whole pool of calls that start at once."""

Lookup = Callable[[str, int], Awaitable[tuple[str, Access] | None]]
"""(upstream id, version) → its name and what it takes to reach it; None where there is no such version any more."""


class Broker:
    """Answers on every connection to broker.sock."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self.renew: Callable[[str], Awaitable[bool]] | None = None
        """Fetches an issuer's keys anew; set by whoever can, once it can."""
        self._trials: dict[str, tuple[str, Access]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def try_out(self, upstream: str, name: str, access: Access) -> None:
        """Answer for a server that is in no table yet, until `forget`."""
        self._trials[upstream] = (name, access)

    def forget(self, upstream: str) -> None:
        self._trials.pop(upstream, None)

    async def serve(self, sock: socket.socket) -> asyncio.Server:
        return await asyncio.start_unix_server(self._connected, sock=sock)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream: FrameStream[BrokerRequest] = FrameStream(reader, writer, BrokerRequest)
        free = asyncio.Semaphore(MAX_UNDER_WAY)
        try:
            actor_of(writer.get_extra_info("socket"))
            while True:
                request = await stream.receive()
                await free.acquire()
                answering = asyncio.get_running_loop().create_task(self._answer(stream, request))
                self._tasks.add(answering)
                answering.add_done_callback(self._tasks.discard)
                answering.add_done_callback(lambda _done: free.release())
        except Fault as fault:
            _log.debug("broker_peer_left", code=fault.kind.code)
        except asyncio.CancelledError:  # the root of a task: Python 3.11's streams log a cancelled one as an error
            _log.debug("broker_ended")
        finally:
            stream.close()

    async def _answer(self, stream: FrameStream[BrokerRequest], request: BrokerRequest) -> None:
        """Bounded by the store's own time-out; an answer to a connection that is gone goes nowhere."""
        try:
            reply = await self._reply(request)
        except Fault as fault:
            _log.error("broker_refused", code=fault.kind.code, upstream=request.upstream)
            reply = BrokerReply(id=request.id, ok=False, error=fault.text)
        except Exception as error:  # a task root: logged, and the asker is told that it gets nothing
            _log.error("broker_failed", exc=error, upstream=request.upstream)
            reply = BrokerReply(id=request.id, ok=False, error="The platform failed to answer; see its log.")
        if not stream.closing:
            stream.send(reply)

    async def _reply(self, request: BrokerRequest) -> BrokerReply:
        if request.kind == RENEW:
            return BrokerReply(id=request.id, ok=self.renew is not None and await self.renew(request.upstream))
        known = self._trials.get(request.upstream) or await self._lookup(request.upstream, request.version)
        if known is None:
            text = "This MCP server was removed or changed; try again with the newest list of tools."
            return BrokerReply(id=request.id, ok=False, error=text)
        name, access = known
        if request.kind == CREDENTIALS:
            return BrokerReply(id=request.id, ok=True, headers=access.headers, trust=access.trust)
        if request.kind == LAUNCH and access.argv:
            launch = LaunchWire(argv=access.argv, env=access.env, cwd=access.cwd, name=name)
            return BrokerReply(id=request.id, ok=True, launch=launch)
        return BrokerReply(id=request.id, ok=False, error="This MCP server is not reached in that way.")
