"""The MCP client side of one stdio server: which era it speaks, which answer belongs to which call, who is asked.

Server→client requests go to the newest call under way, and only where the process belongs to one (principal,
capability set); a process shared by principals has nobody who could be asked.
"""

import asyncio
import re
from dataclasses import dataclass

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.transports import era, messages
from mcp_platform.net.transports.conversation import Conversation
from mcp_platform.net.transports.deadline import Deadline
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.messages import Message
from mcp_platform.net.transports.model import Answer, Call, Caller
from mcp_platform.net.upstream_errors import (
    UPSTREAM_BUSY,
    UPSTREAM_DOWN,
    UPSTREAM_GARBAGE,
    UPSTREAM_LOST,
    UPSTREAM_TIMEOUT,
    UPSTREAM_TOO_LARGE,
)
from mcp_platform.upstream_host.child import Child
from mcp_platform.upstream_host.lines import TooLong

ENVELOPE_BYTES = 4096
"""Bytes that JSON-RPC may add to a result on a line."""
MAX_UNDER_WAY = 1024
"""Calls at once in one process; servers of one thread answer them one by one."""
MAX_GARBAGE_LINES = 100
"""Lines in a row that are no messages, before the server is given up. Forgotten debug output is common and harmless;
the SDKs' own clients skip it too."""
PATIENCE_S = 3.0
"""Seconds `server/discover` may stay unanswered before `initialize` is sent as well: some legacy servers ignore what
they do not know, others only start slowly, and both are well served by asking twice."""
_ID = re.compile(rb'"id"\s*:\s*(\d{1,18})\s*[,}]')

_log = Log(__name__)


@dataclass(slots=True, eq=False)
class _UnderWay:
    end: "asyncio.Future[Answer]"
    most: int
    deadline: Deadline | None = None
    conversation: Conversation | None = None


class Peer:
    """One server process that has been started. `open` it first."""

    def __init__(self, server: str, *, shared: bool) -> None:
        self.found: Found | None = None
        self.gone = False
        self._server = server
        self._shared = shared
        self._child: Child | None = None
        self._last_id = 0
        self._under_way: dict[int, _UnderWay] = {}
        self._garbage = 0
        self._given_up: Fault | None = None
        """Why the process is being ended by us, if it is."""

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def attach(self, child: Child) -> None:
        self._child = child
        if self._given_up is not None:
            child.kill()

    # Opening.

    async def open(self, capabilities: bytes, client_info: bytes | None, known: str | None, timeout_s: float) -> Found:
        """Find out the era and shake hands. `known`: the era seen before, if any. Raises Fault(upstream_*)."""
        try:
            async with asyncio.timeout(timeout_s):
                self.found = await self._agree(capabilities, client_info, known)
        except TimeoutError:
            text = "The MCP server behind this tool was started but did not answer in time."
            raise Fault(UPSTREAM_TIMEOUT, text, {"stage": "mcp"}) from None
        except Fault as fault:
            if fault.kind is not UPSTREAM_LOST:
                raise
            text = "The MCP server's process ended before it answered; its stderr is in the platform's log."
            raise Fault(UPSTREAM_DOWN, text, {"stage": "start"}) from None
        finally:
            for waiting in list(self._under_way.values()):
                if waiting.conversation is None:
                    waiting.end.cancel()
        return self.found

    async def _agree(self, capabilities: bytes, client_info: bytes | None, known: str | None) -> Found:
        discover: asyncio.Future[Answer] | None = None
        if known != era.LEGACY:
            discover = self._ask(messages.discover(self._next_id()))
            await asyncio.wait([discover], timeout=PATIENCE_S)
            if discover.done():
                found = _of_discover(discover)
                if found is not None:
                    return found
                discover = None
        initialize = self._ask(messages.initialize(self._next_id(), capabilities, client_info))
        if discover is not None:
            found = await self._late_discover(discover, initialize)
            if found is not None:
                return found
        found = era.of_initialize(await initialize)
        self._write(messages.notification("notifications/initialized"))
        return found

    async def _late_discover(
        self, discover: "asyncio.Future[Answer]", initialize: "asyncio.Future[Answer]"
    ) -> Found | None:
        """Both were asked: a server that started slowly answers them in order, and the first one says its era."""
        await asyncio.wait([discover, initialize], return_when=asyncio.FIRST_COMPLETED)
        if initialize.done() and initialize.exception() is None and initialize.result().error is not None:
            await asyncio.wait([discover])
        return _of_discover(discover) if discover.done() else None

    def _ask(self, line: bytes) -> "asyncio.Future[Answer]":
        """Send one of our own requests, whose id is the newest."""
        waiting = _UnderWay(asyncio.get_running_loop().create_future(), most=1024 * 1024)
        self._under_way[self._last_id] = waiting
        identity = self._last_id
        waiting.end.add_done_callback(lambda _: self._under_way.pop(identity, None))
        self._write(line)
        return waiting.end

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _write(self, line: bytes) -> None:
        if self._child is None or self.gone:
            raise self._given_up or Fault(UPSTREAM_LOST)
        self._child.write(line)

    # Calls.

    async def call(self, call: Call, caller: Caller, max_call_s: float) -> Answer:
        """Raises Fault(upstream_*); being cancelled tells the server."""
        assert self.found is not None, "a peer is opened before it is called"
        if len(self._under_way) >= MAX_UNDER_WAY:
            raise Fault(UPSTREAM_BUSY, retry_after_s=1.0)
        identity = self._next_id()
        modern = self.found.era == era.MODERN
        line = messages.modern_request(identity, call) if modern else messages.legacy_request(identity, call)
        waiting = _UnderWay(asyncio.get_running_loop().create_future(), most=call.max_result_bytes)

        def expired(fault: Fault) -> None:
            if not waiting.end.done():
                waiting.end.set_exception(fault)

        deadline = waiting.deadline = Deadline(call.timeout_s, max_call_s, expired)
        back = None if modern else self._answer_back
        waiting.conversation = Conversation(caller, deadline, back, may_ask=not self._shared, progress=call.progress)
        self._under_way[identity] = waiting
        answered = False
        try:
            self._write(line)
            answer = await waiting.end
            answered = True
            return answer
        finally:
            if not answered:
                self._cancel(identity, waiting)
            del self._under_way[identity]
            deadline.stop()
            waiting.conversation.close()

    def _cancel(self, identity: int, waiting: _UnderWay) -> None:
        """Both eras are told on stdio that a call was cancelled or timed out; not of one that failed by itself."""
        timed_out = waiting.end.done() and not waiting.end.cancelled() and _timed_out(waiting.end)
        if self.gone or (waiting.end.done() and not waiting.end.cancelled() and not timed_out):
            return
        try:
            self._write(messages.cancelled(identity))
        except Fault as fault:
            _log.debug("server_not_told", server=self._server, code=fault.kind.code)

    async def _answer_back(self, body: bytes) -> None:
        self._write(body)

    # What the server writes.

    def line(self, line: bytes | TooLong) -> None:
        """One line of the server's stdout."""
        if self.gone:
            return
        if isinstance(line, TooLong):
            self._fail_named(line.start, line.end, Fault(UPSTREAM_TOO_LARGE))
            return
        try:
            message = messages.parse(line)
            self._garbage = 0
            self._take(message, len(line))
        except Fault as fault:
            self._garbled(line, fault)

    def _take(self, message: Message, size: int) -> None:
        if message.method is not msgspec.UNSET:
            if message.identity is None:
                self._notified(message)
            else:
                self._asked(message)
            return
        number = _number(message.identity)
        waiting = self._under_way.get(number)
        if waiting is None and message.identity not in (None, b"null") and not 0 < number <= self._last_id:
            raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})  # an answer to what was never asked
        if waiting is None or waiting.end.done():
            return  # answers to calls that were given up come late and are no fault
        if size > waiting.most + ENVELOPE_BYTES:
            waiting.end.set_exception(Fault(UPSTREAM_TOO_LARGE, data={"max_bytes": waiting.most}))
            return
        spoken = era.LEGACY if self.found is None else self.found.era
        try:
            waiting.end.set_result(messages.answer(message, spoken))
        except Fault as fault:
            waiting.end.set_exception(fault)

    def _notified(self, message: Message) -> None:
        params = b"{}" if message.params is msgspec.UNSET else bytes(message.params)
        if message.method == "notifications/progress":
            token, rest = messages.without_token(params)
            waiting = self._under_way.get(_number(token))
            if waiting is not None and waiting.conversation is not None:
                waiting.conversation.progressed(rest)
        elif message.method == "notifications/cancelled":
            identity = messages.cancelled_id(params)
            for waiting in self._under_way.values():
                if waiting.conversation is not None and waiting.conversation.withdraw(identity):
                    return
        elif message.method == "notifications/message" and not self._shared:
            # On a shared process nobody can tell whose call a log line is about.
            newest = self._newest()
            if newest is not None:
                newest.notified(message, 0)

    def _asked(self, message: Message) -> None:
        assert message.identity is not None, "a request has an id"
        newest = None if self._shared else self._newest()
        if newest is not None and message.method != "ping" and newest.asked(message):
            return
        given = Answer(result=b"{}") if message.method == "ping" else Answer(error=messages.METHOD_NOT_FOUND)
        try:
            self._write(messages.response(message.identity, given))
        except Fault as fault:
            _log.debug("server_not_answered", server=self._server, code=fault.kind.code)

    def _newest(self) -> Conversation | None:
        for waiting in reversed(self._under_way.values()):
            if waiting.conversation is not None:
                return waiting.conversation
        return None

    # What is no message.

    def _garbled(self, line: bytes, fault: Fault) -> None:
        self._garbage += 1
        if self._garbage == 1:
            _log.warning("server_wrote_no_message", server=self._server, bytes=len(line))
        if line.lstrip()[:1] == b"{":
            # It was meant as a message: whoever waits for it shall not wait in vain.
            self._fail_named(line[:512], line[-512:], fault)
        if self._garbage >= MAX_GARBAGE_LINES:
            self._give_up(Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"}))

    def _give_up(self, why: Fault) -> None:
        """End a server that cannot be talked to."""
        self.gone = True
        self._given_up = why
        self._fail_all(why)
        if self._child is not None:
            self._child.kill()

    def _fail_named(self, start: bytes, end: bytes, fault: Fault) -> None:
        """Fail the call that a broken answer names; where it names none, all that wait."""
        named = _ID.search(start) or _ID.search(end)
        waiting = self._under_way.get(int(named[1])) if named else None
        if waiting is None:
            self._fail_all(fault)
        elif not waiting.end.done():
            waiting.end.set_exception(fault)

    def _fail_all(self, fault: Fault) -> None:
        for waiting in list(self._under_way.values()):
            if not waiting.end.done():
                waiting.end.set_exception(Fault(fault.kind, fault.detail, fault.data, fault.retry_after_s))

    def ended(self) -> None:
        """The process is no more."""
        self.gone = True
        self._fail_all(self._given_up or Fault(UPSTREAM_LOST))


def _of_discover(discover: "asyncio.Future[Answer]") -> Found | None:
    """Raises Fault(upstream_lost) where the process ended; any other failure is no evidence of the modern era."""
    failure = discover.exception()
    if failure is None:
        return era.of_discover(discover.result())
    if isinstance(failure, Fault) and failure.kind is not UPSTREAM_LOST:
        return None
    raise failure


def _timed_out(end: "asyncio.Future[Answer]") -> bool:
    failure = end.exception()
    return isinstance(failure, Fault) and failure.kind is UPSTREAM_TIMEOUT


def _number(identity: bytes | None) -> int:
    """Our ids are integers; anything else is none of ours."""
    return int(identity) if identity is not None and identity.isdigit() and len(identity) < 19 else -1
