"""Which call a message means that stands in no call's own stream: on a pipe, on HTTP+SSE, on a session's GET stream.

A server's question goes to the newest call under way, and only where the session belongs to one (principal, capability
set); a session shared by principals has nobody who could be asked. Which call it means nobody can know: when that call
ends first, the question goes to the newest of the others. With none left the call's own answer waits for it a moment,
for some servers ask for roots as they start and answer their first call meanwhile; then the server is told that nobody
answers.
"""

from collections.abc import Callable

import msgspec

from mcp_platform.net.transports import messages
from mcp_platform.net.transports.conversation import Conversation
from mcp_platform.net.transports.messages import Message
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.transports.offers import CHANGES, ELICITED

LINGER_S = 3.0
"""Seconds that an answer waits for a question: a program names its roots sooner, and no person minds."""


class Switchboard:
    """The calls under way in one session."""

    __slots__ = ("_calls", "_heard", "_placed", "_reply", "_shared")

    def __init__(self, reply: Callable[[bytes], None], heard: Callable[[str, bytes], None], *, shared: bool) -> None:
        self._reply = reply
        """Sends the server an answer of our own, or fails quietly."""
        self._heard = heard
        """Takes what belongs to no call."""
        self._shared = shared
        self._calls: dict[int, Conversation] = {}
        self._placed: dict[bytes, tuple[Message, Conversation]] = {}
        """Questions, by their ids, and the call that each was given to."""

    def begin(self, identity: int, conversation: Conversation) -> None:
        self._calls[identity] = conversation

    async def settled(self, identity: int) -> None:
        """Before `end`, once the answer is there."""
        ended = self._calls[identity]
        if not any(call.may_ask for call in self._calls.values() if call is not ended):
            await ended.settled([key for key, placed in self._placed.items() if placed[1] is ended], LINGER_S)

    def end(self, identity: int) -> None:
        """Before the conversation itself is closed."""
        ended = self._calls.pop(identity, None)
        for question, (message, call) in list(self._placed.items()):
            if call is ended:
                del self._placed[question]
                if call.withdraw(question):
                    self._asked(message, question)

    def take(self, message: Message) -> None:
        """A request or notification of the server. Raises Fault(upstream_garbage)."""
        assert message.method is not msgspec.UNSET, "answers are for whoever asked"
        if message.identity is None:
            self._notified(message)
        else:
            self._asked(message, message.identity)

    def _notified(self, message: Message) -> None:
        method, params = str(message.method), message.params_bytes
        if method == "notifications/progress":
            token, rest = messages.without_token(params)
            call = self._calls.get(messages.number(token))
            if call is not None:
                call.progressed(rest)
        elif method == "notifications/cancelled":
            identity = messages.cancelled_id(params)
            for call in self._calls.values():
                if call.withdraw(identity):
                    return
        elif method in CHANGES:
            self._heard(method, params)
        elif not self._shared:
            # On a shared session nobody can tell whose call a log line is about.
            self._about_the_newest(message, method, params)

    def _about_the_newest(self, message: Message, method: str, params: bytes) -> None:
        newest = self._newest()
        if newest is not None:
            newest.notified(message, 0)
        elif method == ELICITED:
            self._heard(method, params)

    def _asked(self, message: Message, identity: bytes) -> None:
        if message.method == "ping":
            self._reply(messages.response(identity, Answer(result=b"{}")))
            return
        newest = None if self._shared else self._newest()
        if newest is None or not newest.asked(message):
            self._reply(messages.response(identity, Answer(error=messages.METHOD_NOT_FOUND)))
            return
        self._placed = {key: placed for key, placed in self._placed.items() if placed[1].waits_for(key)}
        self._placed[identity] = message, newest

    def _newest(self) -> Conversation | None:
        """The newest call that has somebody to ask: what the platform asks for itself has not."""
        return next((call for call in reversed(self._calls.values()) if call.may_ask), None)
