"""The other direction of one call: what an upstream says and asks before it answers.

Questions go to the call's own client only; where a connection is shared by principals there is nobody to ask.
"""

import asyncio
from collections.abc import Awaitable, Callable

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.transports import messages
from mcp_platform.net.transports.deadline import Deadline
from mcp_platform.net.transports.messages import Message
from mcp_platform.net.transports.model import Answer, Caller
from mcp_platform.net.transports.offers import CHANGES, ELICITED, LIST_CHANGES

QUESTIONS = frozenset({"elicitation/create", "sampling/createMessage", "roots/list"})
"""What a server may ask its client (2025-11-25)."""
MAX_QUESTIONS = 8
"""Questions of one call that wait at once. A person answers one; an agent may be asked for a few samples."""

_log = Log(__name__)
Send = Callable[[bytes], Awaitable[None]]
Heard = Callable[[str, bytes], None]


class Conversation:
    """Belongs to one call; `close` ends every question that waits."""

    __slots__ = ("_caller", "_deadline", "_heard", "_progress", "_send", "_waiting", "may_ask")

    def __init__(
        self,
        caller: Caller,
        deadline: Deadline,
        send: Send | None,
        *,
        may_ask: bool,
        progress: bool,
        heard: Heard | None = None,
    ) -> None:
        self._caller = caller
        self._deadline = deadline
        self._send = send
        """Takes our answers to the server; None where the revision has no way back (2026-07-28)."""
        self._heard = heard
        """Takes, too, what concerns not only this call."""
        self.may_ask = may_ask
        """Whether the session is this caller's own."""
        self._progress = progress
        self._waiting: dict[bytes, asyncio.Task[None]] = {}

    def notified(self, message: Message, token: int) -> None:
        """A notification that stands in this call's stream, or was found to mean this call."""
        method, params = str(message.method), message.params_bytes
        if method == "notifications/progress":
            given, rest = messages.without_token(params)
            if given == b"%d" % token:
                self.progressed(rest)
        elif method == "notifications/message":
            self._deadline.alive()
            self._caller.notify(method, params)
        elif method == "notifications/cancelled":
            self.withdraw(messages.cancelled_id(params))
        elif method in CHANGES or method == ELICITED:
            self._changed(method, params)

    def _changed(self, method: str, params: bytes) -> None:
        # On a shared session what somebody subscribed or was asked is for nobody else's eyes.
        if self.may_ask or method in LIST_CHANGES:
            self._caller.notify(method, params)
        if self._heard is not None and method in CHANGES:
            self._heard(method, params)

    def progressed(self, params: bytes) -> None:
        """Progress of this call; `params` without the token."""
        self._deadline.alive()
        if self._progress:
            self._caller.notify("notifications/progress", params)

    def withdraw(self, identity: bytes | None) -> bool:
        """The server no longer wants an answer to its question."""
        task = self._waiting.get(identity or b"")
        return task is not None and task.cancel()

    def waits_for(self, identity: bytes) -> bool:
        """Whether that question is still open."""
        return identity in self._waiting

    async def settled(self, identities: list[bytes], most_s: float) -> None:
        """Wait until none of these questions is open, but not for long."""
        waiting = [task for key in identities if (task := self._waiting.get(key)) is not None]
        if waiting:
            await asyncio.wait(waiting, timeout=most_s)

    def asked(self, message: Message) -> bool:
        """A request of the server, to be answered by `send`; False where it cannot be taken."""
        identity = message.identity
        if self._send is None or identity is None or len(self._waiting) >= MAX_QUESTIONS or identity in self._waiting:
            return False
        self._deadline.alive()
        task = asyncio.get_running_loop().create_task(self._answer(identity, message, self._send))
        self._waiting[identity] = task
        task.add_done_callback(lambda _: self._waiting.pop(identity, None))
        return True

    async def _answer(self, identity: bytes, message: Message, send: Send) -> None:
        """A task root; the call's deadline is its own, because `close` cancels it."""
        self._deadline.hold()
        try:
            given = await self._ask(message)
        finally:
            self._deadline.release()
        try:
            await send(messages.response(identity, given))
        except Fault as fault:
            _log.warning("upstream_took_no_answer", code=fault.kind.code)

    async def _ask(self, message: Message) -> Answer:
        method = str(message.method)
        if method == "ping":
            return Answer(result=b"{}")
        if not self.may_ask or method not in QUESTIONS:
            return Answer(error=messages.METHOD_NOT_FOUND)
        try:
            return await self._caller.ask(method, message.params_bytes)
        except Fault as fault:
            return messages.failure(fault)

    def close(self) -> None:
        for task in list(self._waiting.values()):
            task.cancel()
