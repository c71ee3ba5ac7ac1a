"""Stdio upstreams as a worker reaches them: through the upstream-host, which owns their processes.

A call that was under way when the host died is lost and said to be so; one that was not sent yet waits, for a bounded
time, for the host that follows.
"""

import asyncio
import itertools
from pathlib import Path

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.frames import FrameStream
from mcp_platform.net.transports.dial import Dialer
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.host_call import HostCall
from mcp_platform.net.transports.host_ear import HostEar
from mcp_platform.net.transports.host_wire import (
    Begin,
    Cancel,
    Changed,
    Done,
    Failed,
    ForEars,
    Forget,
    FromHost,
    Listen,
    Probe,
    Probed,
    Tell,
)
from mcp_platform.net.transports.model import Announced, Answer, Call, Caller, Listener, Target, Wanted
from mcp_platform.net.transports.watch import Ear
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN, UPSTREAM_LOST

HOST_RESTART_S = 5.0
"""Seconds a call waits for a host that is being restarted: the supervisor's bound is 3."""
GRACE_S = 5.0
"""Seconds the host gets beyond a call's own time-out, because it measures that time itself; and for its queue."""

_log = Log(__name__)


class HostConnection:
    """This process's one connection to the upstream-host."""

    def __init__(self, path: Path, *, max_call_s: float = 3600.0, start_timeout_s: float = 30.0) -> None:
        self._max_call_s = max_call_s
        self._start_timeout_s = start_timeout_s
        self._ids = itertools.count(1)
        self._waiting: dict[int, HostCall] = {}
        self._ears: dict[int, HostEar] = {}
        self.announced: Announced = lambda upstream, method: None
        """Called when a server said that a list of its changed, whoever listens."""
        self._dialer: Dialer[FromHost] = Dialer(path, FromHost, self._on_message, self._on_lost)

    async def call(self, target: Target, call: Call, caller: Caller) -> Answer:
        """Raises Fault(upstream_*); being cancelled cancels the call at its server."""
        identity = next(self._ids)
        silence_s = call.timeout_s + self._start_timeout_s + GRACE_S
        answer = await self._converse(identity, Begin(identity, target, call), caller, silence_s)
        assert isinstance(answer, Done), "the host answers a call with its answer"
        return answer.answer

    async def probe(
        self, target: Target, timeout_s: float, owner: str | None = None, capabilities: bytes = b"{}"
    ) -> Found:
        """Start `target` if need be and say what it is, to a client that can do this.

        Raises Fault(upstream_*) with `stage` in its data.
        """
        identity = next(self._ids)
        seen = await self._converse(
            identity, Probe(identity, target, timeout_s, owner, capabilities), None, timeout_s + GRACE_S
        )
        assert isinstance(seen, Probed), "the host answers a probe with what it found"
        return Found(seen.era, seen.version, seen.server_info, seen.capabilities, seen.instructions)

    async def attend(
        self,
        target: Target,
        owner: str | None,
        capabilities: bytes,
        client_info: bytes | None,
        wanted: Wanted,
        listener: Listener,
    ) -> Ear:
        """Raises Fault(upstream_*)."""
        stream = await self._connected()
        identity = next(self._ids)
        ear = self._ears[identity] = HostEar(stream, identity, listener, lambda: self._ears.pop(identity, None))
        try:
            stream.send(Listen(identity, target, owner, capabilities, client_info, wanted))
            async with asyncio.timeout(self._start_timeout_s + GRACE_S):
                await ear.opened()
        except TimeoutError:
            await ear.close()
            raise Fault(UPSTREAM_DOWN, data={"stage": "start"}) from None
        except BaseException:
            await ear.close()
            raise
        return ear

    async def tell(self, target: Target, owner: str, capabilities: bytes, method: str, params: bytes) -> None:
        """A notification of a client to its own process. Raises Fault(upstream_down)."""
        (await self._connected()).send(Tell(target, owner, capabilities, method, params))

    async def forget(self, upstream: str) -> None:
        """The server was removed: its processes are to stop."""
        try:
            (await self._dialer.stream(HOST_RESTART_S)).send(Forget(upstream))
        except Fault:
            # A host that is not there has no process of it either.
            _log.debug("host_not_told", upstream=upstream)

    async def close(self) -> None:
        await self._dialer.close()

    async def _converse(
        self, identity: int, opening: Begin | Probe, caller: Caller | None, silence_s: float
    ) -> Done | Probed:
        stream = await self._connected()
        waiting = self._waiting[identity] = HostCall(stream, identity, caller, silence_s, self._max_call_s + GRACE_S)
        try:
            stream.send(opening)
            return await waiting.end
        except BaseException:
            if not waiting.settled and not stream.closing:
                stream.send(Cancel(identity))
            raise
        finally:
            del self._waiting[identity]
            waiting.close()

    async def _connected(self) -> FrameStream[FromHost]:
        try:
            return await self._dialer.stream(HOST_RESTART_S)
        except Fault as fault:
            text = "The part of the platform that runs this MCP server does not answer; try again shortly."
            raise Fault(UPSTREAM_DOWN, text, {"stage": "start"}, retry_after_s=1.0) from fault

    def _on_message(self, message: FromHost) -> None:
        waiting = self._waiting.get(message.id)
        if waiting is not None:
            waiting.take(message)
        elif isinstance(message, Changed):
            self.announced(message.upstream, message.method)
        elif isinstance(message, ForEars | Failed):
            ear = self._ears.get(message.id)
            if ear is not None:
                ear.take(message)

    def _on_lost(self) -> None:
        for waiting in self._waiting.values():
            waiting.fail(Fault(UPSTREAM_LOST))
        for ear in list(self._ears.values()):
            ear.end(Fault(UPSTREAM_LOST))


class HostLink:
    """One stdio upstream. Its process belongs to the host and outlives the link."""

    def __init__(self, target: Target, host: HostConnection) -> None:
        self._target = target
        self._host = host

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Send one request and wait for its answer. Raises Fault(upstream_*)."""
        return await self._host.call(self._target, call, caller)

    async def probe(self, timeout_s: float, owner: str | None = None, capabilities: bytes = b"{}") -> Found:
        """Start the server if need be and say what it is. Raises Fault(upstream_*) with `stage` in its data."""
        return await self._host.probe(self._target, timeout_s, owner, capabilities)

    async def attend(
        self, owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted, listener: Listener
    ) -> Ear:
        """One ear, which does not mend itself. Raises Fault(upstream_*)."""
        return await self._host.attend(self._target, owner, capabilities, client_info, wanted, listener)

    async def tell(self, owner: str, capabilities: bytes, method: str, params: bytes) -> None:
        """A notification of a client to its own process, where one runs. Raises Fault(upstream_down)."""
        await self._host.tell(self._target, owner, capabilities, method, params)

    async def close(self) -> None:
        """Nothing of the link's own is open."""

    async def retire(self) -> None:
        """The host itself replaces a process behind the calls it still has."""
