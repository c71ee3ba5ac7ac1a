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
from mcp_platform.net.transports import messages
from mcp_platform.net.transports.deadline import Deadline
from mcp_platform.net.transports.dial import Dialer
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.host_wire import (
    Asked,
    Begin,
    Cancel,
    Done,
    Failed,
    Forget,
    FromHost,
    Probe,
    Probed,
    Replied,
    Said,
    Withdrawn,
    unpack,
)
from mcp_platform.net.transports.model import Answer, Call, Caller, Listener, Listening, Target, Wanted
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
        self._waiting: dict[int, _Waiting] = {}
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
        try:
            stream = await self._dialer.stream(HOST_RESTART_S)
        except Fault as fault:
            text = "The part of the platform that runs this MCP server does not answer; try again shortly."
            raise Fault(UPSTREAM_DOWN, text, {"stage": "start"}, retry_after_s=1.0) from fault
        waiting = self._waiting[identity] = _Waiting(stream, identity, caller, silence_s, self._max_call_s + GRACE_S)
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

    def _on_message(self, message: FromHost) -> None:
        waiting = self._waiting.get(message.id)
        if waiting is not None:
            waiting.take(message)

    def _on_lost(self) -> None:
        for waiting in self._waiting.values():
            waiting.fail(Fault(UPSTREAM_LOST))


class _Waiting:
    """One call that the host is making for us."""

    def __init__(
        self, stream: FrameStream[FromHost], identity: int, caller: Caller | None, silence_s: float, most_s: float
    ) -> None:
        self.end: asyncio.Future[Done | Probed] = asyncio.get_running_loop().create_future()
        self.settled = False
        """Whether the host ended the call, so that it need not be told."""
        self._stream = stream
        self._id = identity
        self._caller = caller
        self._deadline = Deadline(silence_s, most_s, self._expired)
        self._questions: dict[int, asyncio.Task[None]] = {}

    def take(self, message: FromHost) -> None:
        if isinstance(message, Done | Probed):
            self.settled = True
            if not self.end.done():
                self.end.set_result(message)
        elif isinstance(message, Failed):
            self.fail(unpack(message))
        elif isinstance(message, Withdrawn):
            question = self._questions.get(message.ask)
            if question is not None:
                question.cancel()
        elif self._caller is not None:
            self._deadline.alive()
            self._hear(message, self._caller)

    def _hear(self, message: Said | Asked, caller: Caller) -> None:
        if isinstance(message, Said):
            caller.notify(message.method, message.params)
            return
        task = asyncio.get_running_loop().create_task(self._answer(message, caller))
        self._questions[message.ask] = task
        task.add_done_callback(lambda _: self._questions.pop(message.ask, None))

    async def _answer(self, message: Asked, caller: Caller) -> None:
        """A task root; ends with the call, by `close`."""
        self._deadline.hold()
        try:
            answer = await caller.ask(message.method, message.params)
        except Fault as fault:
            answer = messages.failure(fault)
        finally:
            self._deadline.release()
        self._stream.send(Replied(self._id, message.ask, answer))

    def fail(self, fault: Fault) -> None:
        self.settled = True
        if not self.end.done():
            self.end.set_exception(fault)

    def _expired(self, fault: Fault) -> None:
        if not self.end.done():
            self.end.set_exception(fault)

    def close(self) -> None:
        self._deadline.stop()
        for question in list(self._questions.values()):
            question.cancel()
        if not self.end.done():
            self.end.cancel()


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

    async def listen(
        self, owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted, listener: Listener
    ) -> Listening:
        """Not yet."""
        raise Fault(UPSTREAM_DOWN)

    async def tell(self, owner: str, capabilities: bytes, method: str, params: bytes) -> None:
        """Not yet."""

    async def close(self) -> None:
        """Nothing of the link's own is open."""

    async def retire(self) -> None:
        """The host itself replaces a process behind the calls it still has."""
