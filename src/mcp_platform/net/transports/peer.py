"""The MCP client side of one server behind a pipe: which era it speaks, which answer belongs to which call.

The pipe may be a process's or HTTP+SSE. What the server says of its own accord goes to the call, or to the ears, that
the switchboard or a subscription's id names.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.transports import era, messages
from mcp_platform.net.transports.conversation import Conversation
from mcp_platform.net.transports.deadline import Deadline
from mcp_platform.net.transports.ears import Ears
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.garbage import Garbage
from mcp_platform.net.transports.handshake import agree
from mcp_platform.net.transports.log_level import LogLevel
from mcp_platform.net.transports.messages import Message
from mcp_platform.net.transports.model import Answer, Call, Caller, Listener, Wanted
from mcp_platform.net.transports.nobody import Nobody
from mcp_platform.net.transports.offers import CHANGES, EVERY_LIST, LIST_CHANGES, of_capabilities
from mcp_platform.net.transports.pipe import Pipe, TooLong
from mcp_platform.net.transports.subscription import ACKNOWLEDGED, ModernEar, Subscription, identity_of, request
from mcp_platform.net.transports.switchboard import Switchboard
from mcp_platform.net.transports.watch import Ear
from mcp_platform.net.upstream_errors import (
    UPSTREAM_BUSY,
    UPSTREAM_GARBAGE,
    UPSTREAM_LOST,
    UPSTREAM_TIMEOUT,
    UPSTREAM_TOO_LARGE,
)

ENVELOPE_BYTES = 4096
"""Bytes that JSON-RPC may add to a result in a message."""
MAX_UNDER_WAY = 1024
"""Calls at once in one session; servers of one thread answer them one by one."""
GARBAGE_SHARE = 3
"""A server that is being opened, and writes only what is no message, has one part of so many of the time-out: a banner
stands before the first message, but not for long."""
_ID = re.compile(rb'"id"\s*:\s*(\d{1,18})\s*[,}]')

_log = Log(__name__)


@dataclass(slots=True, eq=False)
class _UnderWay:
    end: "asyncio.Future[Answer]"
    most: int
    deadline: Deadline | None = None
    conversation: Conversation | None = None


class Peer:
    """One server that has been started or connected to. `open` it first."""

    def __init__(self, server: str, *, shared: bool, max_call_s: float, announced: Callable[[str], None]) -> None:
        self.found: Found | None = None
        self.gone = False
        """Whether the server ended, or is being ended."""
        self._server = server
        self._shared = shared
        self._max_call_s = max_call_s
        self._announced = announced
        """Called with the method of each `list_changed`, whoever listens."""
        self._pipe: Pipe | None = None
        self._last_id = 0
        self._under_way: dict[int, _UnderWay] = {}
        self._board = Switchboard(self._reply, self._heard, shared=shared)
        self._ears = Ears(self._ask_for_ears)
        self._level = LogLevel(self._ask_for_ears)
        self._subscriptions: dict[int, Subscription] = {}
        self._garbage = Garbage(self._give_up)
        self._given_up: Fault | None = None
        """Why the server is being ended by us, if it is."""

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    @property
    def listened_to(self) -> bool:
        return bool(self._ears) or bool(self._subscriptions)

    def attach(self, pipe: Pipe) -> None:
        self._pipe = pipe
        if self._given_up is not None:
            pipe.kill()

    # Opening.

    async def open(self, capabilities: bytes, client_info: bytes | None, known: str | None, timeout_s: float) -> Found:
        """Find out the era and shake hands. `known`: the era seen before, if any. Raises Fault(upstream_*)."""
        self._garbage.opening(timeout_s / GARBAGE_SHARE)
        try:
            async with asyncio.timeout(timeout_s):
                self.found = await agree(self._ask, self._write, capabilities, client_info, known)
        except TimeoutError:
            text = "The MCP server behind this tool was reached but did not answer in time."
            raise Fault(UPSTREAM_TIMEOUT, text, {"stage": "mcp"}) from None
        finally:
            self._garbage.opened()
            for waiting in list(self._under_way.values()):
                if waiting.conversation is None:
                    waiting.end.cancel()
        if self.found.era == era.LEGACY:
            self._ears.offers = of_capabilities(self.found.capabilities)
        elif not self._shared:
            self._hear_of_lists(capabilities, client_info)
        return self.found

    def _hear_of_lists(self, capabilities: bytes, client_info: bytes | None) -> None:
        """A legacy server says of its own accord that a list changed; a modern one only where somebody listens. Nobody
        keeps a process of a principal's own for that, so it is asked once, and is none the more in use for it."""
        assert self.found is not None, "a peer is opened before it is listened to"
        wanted = of_capabilities(self.found.capabilities).of(EVERY_LIST)
        if wanted != Wanted():
            call = request(None, capabilities, client_info, wanted)
            self._courteously(messages.modern_request(self._next_id(), call))

    def _ask(self, make: Callable[[int], bytes]) -> "asyncio.Future[Answer]":
        """Send one of our own requests."""
        identity = self._next_id()
        waiting = self._under_way[identity] = _UnderWay(asyncio.get_running_loop().create_future(), most=1024 * 1024)
        waiting.end.add_done_callback(lambda _: self._under_way.pop(identity, None))
        self._write(make(identity))
        return waiting.end

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _write(self, line: bytes) -> None:
        if self._pipe is None or self.gone:
            raise self._given_up or Fault(UPSTREAM_LOST)
        self._pipe.write(line)

    # Calls.

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Raises Fault(upstream_*); being cancelled tells the server."""
        assert self.found is not None, "a peer is opened before it is called"
        if call.log_level is not None and not self._shared and self._ears.offers.logging:
            await self._level.be(call.log_level)
        if len(self._under_way) >= MAX_UNDER_WAY:
            raise Fault(UPSTREAM_BUSY, retry_after_s=1.0)
        identity = self._next_id()
        modern = self.found.era == era.MODERN
        line = messages.modern_request(identity, call) if modern else messages.legacy_request(identity, call)
        waiting = _UnderWay(asyncio.get_running_loop().create_future(), most=call.max_result_bytes)

        def expired(fault: Fault) -> None:
            if not waiting.end.done():
                waiting.end.set_exception(fault)

        deadline = waiting.deadline = Deadline(call.timeout_s, self._max_call_s, expired)
        back = None if modern else self._answer_back
        may_ask = not self._shared and not isinstance(caller, Nobody)
        waiting.conversation = Conversation(caller, deadline, back, may_ask=may_ask, progress=call.progress)
        self._under_way[identity] = waiting
        self._board.begin(identity, waiting.conversation)
        answered = False
        try:
            self._write(line)
            answer = await waiting.end
            answered = True
            deadline.stop()
            await self._board.settled(identity)
            return answer
        finally:
            if not answered:
                self._cancel(identity, waiting)
            del self._under_way[identity]
            self._board.end(identity)
            deadline.stop()
            waiting.conversation.close()

    def _cancel(self, identity: int, waiting: _UnderWay) -> None:
        """Both eras are told on stdio that a call was cancelled or timed out; not of one that failed by itself."""
        timed_out = waiting.end.done() and not waiting.end.cancelled() and _timed_out(waiting.end)
        if self.gone or (waiting.end.done() and not waiting.end.cancelled() and not timed_out):
            return
        self._courteously(messages.cancelled(identity))

    def _courteously(self, line: bytes) -> None:
        """Send what the server may as well not get."""
        try:
            self._write(line)
        except Fault as fault:
            _log.debug("server_not_told", server=self._server, code=fault.kind.code)

    async def _answer_back(self, body: bytes) -> None:
        self._write(body)

    async def _ask_for_ears(self, call: Call) -> Answer:
        return await self.call(call, Nobody())

    # Listening.

    async def attend(
        self, owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted, listener: Listener
    ) -> Ear:
        """Raises Fault(upstream_*)."""
        assert self.found is not None, "a peer is opened before it is listened to"
        if self.found.era == era.LEGACY:
            return await self._ears.add(wanted, listener)

        async def send(subscription: Subscription, wanted: Wanted) -> None:
            self._listen(subscription, request(owner, capabilities, client_info, wanted))

        ear = ModernEar(send, listener)
        await ear.want(wanted)
        return ear

    def _listen(self, subscription: Subscription, call: Call) -> None:
        identity = subscription.identity = self._next_id()
        subscription.release = lambda: self._released(identity)
        self._subscriptions[identity] = subscription
        self._write(messages.modern_request(identity, call))

    def _released(self, identity: int) -> None:
        """Whoever listened no longer does (2026-07-28: on stdio the server is told)."""
        if self._subscriptions.pop(identity, None) is not None:
            self._courteously(messages.cancelled(identity))

    async def tell(self, method: str, params: bytes) -> None:
        """A notification of the client's. Raises Fault(upstream_*)."""
        if self.found is not None and self.found.era == era.LEGACY:
            self._write(messages.notification(method, params))

    # What the server writes.

    def line(self, line: bytes | TooLong) -> None:
        """One line of the server's stdout."""
        if self.gone:
            return
        if isinstance(line, TooLong):
            self._fail_named(line.start, line.end, Fault(UPSTREAM_TOO_LARGE))
            return
        try:
            batches = self.found is not None and self.found.version == messages.BATCHES
            for message in messages.parse_all(line) if batches else (messages.parse(line),):
                self._garbage.message()
                self._take(message, len(line))
        except Fault:
            self._garbled(line)

    def _take(self, message: Message, size: int) -> None:
        if message.method is not msgspec.UNSET:
            if self._subscriptions and message.identity is None and self._is_of_a_subscription(message):
                return
            self._board.take(message)
            return
        number = messages.number(message.identity)
        waiting = self._under_way.get(number)
        if waiting is None and number in self._subscriptions:
            self._subscriptions.pop(number).answered(messages.answer(message, era.MODERN))
            return
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

    def _is_of_a_subscription(self, message: Message) -> bool:
        method, params = str(message.method), message.params_bytes
        if method == "notifications/cancelled":
            subscription = self._subscriptions.pop(messages.number(messages.cancelled_id(params)), None)
            if subscription is not None:
                subscription.end(None)
            return subscription is not None
        if method != ACKNOWLEDGED and method not in CHANGES:
            return False
        if method in LIST_CHANGES:
            self._announced(method)
        subscription = self._subscriptions.get(identity_of(params))
        if subscription is not None:
            subscription.notified(method, params)
        return True

    def _heard(self, method: str, params: bytes) -> None:
        """What belongs to no call."""
        if method in LIST_CHANGES:
            self._announced(method)
        self._ears.heard(method, params)

    def _reply(self, line: bytes) -> None:
        self._courteously(line)

    # What is no message.

    def _garbled(self, line: bytes) -> None:
        if self._garbage.line(line):
            _log.warning("server_wrote_no_message", server=self._server, bytes=len(line))
        if line.lstrip()[:1] == b"{":
            # It was meant as a message: whoever waits for it shall not wait in vain.
            self._fail_named(line[:512], line[-512:], self._garbage.fault())
        self._garbage.judge()

    def _give_up(self, why: Fault) -> None:
        """End a server that cannot be talked to."""
        self.gone = True
        self._given_up = why
        self._fail_all(why)
        if self._pipe is not None:
            self._pipe.kill()

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
                waiting.end.set_exception(_same(fault))

    def fail(self, identity: int, fault: Fault) -> None:
        """A request of ours did not reach the server."""
        waiting = self._under_way.get(identity)
        if waiting is not None and not waiting.end.done():
            waiting.end.set_exception(fault)

    def ended(self) -> None:
        """The server is no more, or no longer to be reached."""
        self.gone = True
        why = self._given_up or Fault(UPSTREAM_LOST)
        self._fail_all(why)
        self._ears.end(why)
        for subscription in list(self._subscriptions.values()):
            subscription.end(_same(why))
        self._subscriptions.clear()


def _timed_out(end: "asyncio.Future[Answer]") -> bool:
    failure = end.exception()
    return isinstance(failure, Fault) and failure.kind is UPSTREAM_TIMEOUT


def _same(fault: Fault) -> Fault:
    """Another of the same: an exception that is raised in many places collects their tracebacks."""
    return Fault(fault.kind, fault.detail, fault.data, fault.retry_after_s)
