"""A call that runs: what an upstream says before it answers, and the client's answers to its questions.

The call outlives a request: when the server of a modern client's call asks something, the request is answered
`input_required`, the call waits here (it is parked), and the client's retry becomes its new outlet.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from mcp_platform.base import ids
from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.gateway import answers, input_required
from mcp_platform.gateway.errors import PARKED_GONE, QUESTIONS_TOO_MANY
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.outlet import Outlet, Reply
from mcp_platform.journal.calls import Ticket
from mcp_platform.net.transports.model import Answer, Call, Link
from mcp_platform.wire import capabilities, jsonrpc
from mcp_platform.wire.errors import CAPABILITY_MISSING
from mcp_platform.wire.versions import SERVER_INFO_KEY

log = Log(__name__)
MAX_QUESTIONS = 32
"""Questions of a server within one call: what no person answers patiently, a loop does."""
_UNSUPPORTED = jsonrpc.error_object(-32601, "The client does not support this request.", {})
_UNANSWERED = jsonrpc.error_object(-32603, "The client did not answer in time.", {})


Rewrite = Callable[[Answer], Answer]


@dataclass(slots=True)
class Question:
    """Something a server asked its client, still open."""

    method: str
    params: bytes
    answer: "asyncio.Future[Answer]"


@dataclass(slots=True, eq=False)
class ActiveCall:
    """One request that goes to an upstream, from its permission to its answer."""

    identity: Identity
    endpoint: str
    """Name of the endpoint through which it was asked for."""
    item: Item
    call: Call
    capabilities: dict[str, object]
    """Of the END client, as this request declares them."""
    outlet: Outlet
    ask_modern: "Callable[[ActiveCall], None]"
    """Shows the open questions of a modern client's call: parks it and answers `input_required`."""
    ask_legacy: "Callable[[ActiveCall, str, bytes, asyncio.Future[Answer]], None]"
    """Sends a legacy client one question on its stream."""
    relay_questions: "Callable[[ActiveCall, Link, Answer], Awaitable[Answer]]"
    """Deals with an upstream's own `input_required`: the final answer, or what to tell a modern client."""
    rewrite: "Rewrite | None" = None
    """What the client is to see instead of the upstream's answer; None: the answer."""
    ticket: Ticket | None = None
    """The intent in the journal, which waits for its outcome; None until it is there."""
    patience_s: float = 300.0
    questions: dict[str, Question] = field(default_factory=dict)
    asked: int = 0
    undeclared: dict[str, object] | None = None
    """What the server wanted of the client that the client had not declared, if it did."""
    task: "asyncio.Task[None] | None" = None
    cut: Fault | None = None
    """Why the call was cut off from here, if it was."""
    parked_as: str = ""
    """Its name among the parked calls; empty while it is none."""
    shown: "asyncio.Future[None] | None" = None
    """Done when the current outlet has its answer."""
    back: "asyncio.Event | None" = None
    """Set when the client came with its next request; None where nobody waits for that."""

    def notify(self, method: str, params: bytes) -> None:
        self.outlet.notify(method, params)

    def polled(self) -> None:
        self.outlet.pause()

    async def ask(self, method: str, params: bytes) -> Answer:
        """A question of the server. Answers with an error where the client cannot be asked or does not answer."""
        needed = capabilities.required(method, params)
        if needed is None or not capabilities.declares(self.capabilities, needed):
            self.undeclared = needed
            return Answer(error=_UNSUPPORTED)
        try:
            return await self._ask(method, params)
        except Fault as fault:
            # The server would take a refusal of ours for the client's answer; it is the call that is refused.
            self.stop(fault)
            raise

    async def _ask(self, method: str, params: bytes) -> Answer:
        self.asked += 1
        if self.asked > MAX_QUESTIONS:
            raise Fault(QUESTIONS_TOO_MANY)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        key = f"ask-{self.asked}"
        try:
            if self.outlet.modern:
                self.questions[key] = Question(method, params, future)
                self.ask_modern(self)
            else:
                self.ask_legacy(self, method, params, future)
            async with asyncio.timeout(self.patience_s):
                return await future
        except TimeoutError:
            return Answer(error=_UNANSWERED)
        finally:
            self.questions.pop(key, None)

    async def run(self, link: Link) -> None:
        """Make the call, record how it ended, and only then answer the outlet that is current. The request may be gone
        long before."""
        assert self.ticket is not None, "no call is made without its intent"
        try:
            reply = await self._reply(link)
            try:
                await self.ticket.outcome(reply.outcome, error=reply.error, result=reply.content)
            except Fault as fault:
                reply = self.outlet.of_fault(fault)
            except asyncio.CancelledError:  # its outcome is in the journal; whether it was synced nobody learns
                reply = self.outlet.of_fault(self._taken_back(), "cancelled")
            self.outlet.release(reply)
        finally:
            self.ticket.note("cancelled")
            self.settle()

    async def _reply(self, link: Link) -> Reply:
        """What the client is to have, whatever happens."""
        try:
            if self.cut is not None:  # before anything was sent
                raise asyncio.CancelledError
            answer = await link.call(self.call, self)
            if input_required.is_one(answer):
                answer = await self.relay_questions(self, link, answer)
            if self.parked_as:
                await self._client_is_back()
            if self.rewrite is not None:
                answer = self.rewrite(answer)
            reply = self.outlet.of_answer(answer, self.call.method)
            if self.undeclared is not None and self.outlet.modern and reply.outcome != "ok":
                return self.outlet.of_fault(Fault(CAPABILITY_MISSING, data={"requiredCapabilities": self.undeclared}))
            return reply
        except Fault as fault:
            return self.outlet.of_fault(fault)
        except asyncio.CancelledError:
            return self.outlet.of_fault(self._taken_back(), "cancelled")
        except Exception as error:  # the root of a parked call's task, whose request has long been answered
            error_id = ids.random_text(12)
            log.error("call_failed", exc=error, error_id=error_id)
            return self.outlet.of_fault(Fault(INTERNAL), error_id=error_id)

    async def _client_is_back(self) -> None:
        """Some servers answer before their question is answered, or ask something that the call does not need. Then the
        client still thinks about it, and will come for the result with what it thought."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience_s):
                while self.parked_as and self.outlet.answered:
                    self.back = asyncio.Event()
                    await self.back.wait()

    def _taken_back(self) -> Fault:
        """Why a cancellation of ours came, which is thereby dealt with. One that is not ours goes on."""
        if self.cut is None:
            raise asyncio.CancelledError
        if self.task is not None:
            self.task.uncancel()
        return self.cut

    def stop(self, reason: Fault | None) -> None:
        """Cancel the call here and upstream; the client, if it still listens, is told `reason`."""
        self.cut = reason or Fault(PARKED_GONE)
        if self.task is not None:
            self.task.cancel()

    def attach(self, outlet: Outlet) -> "asyncio.Future[None]":
        """Make `outlet` the one that gets the answer; the future is done when it has one."""
        self.outlet = outlet
        if self.back is not None:
            self.back.set()
        self.shown = asyncio.get_running_loop().create_future()
        return self.shown

    def settle(self) -> None:
        """The current outlet has its answer."""
        if self.shown is not None and not self.shown.done():
            self.shown.set_result(None)

    def input_required(self, state: str) -> None:
        """Answer the current outlet with every open question (2026-07-28, MRTR)."""
        requests = {
            key: {"method": question.method, "params": msgspec.Raw(question.params)}
            for key, question in self.questions.items()
            if not question.answer.done()
        }
        body = {
            "resultType": "input_required",
            "inputRequests": requests,
            "requestState": state,
            "_meta": {SERVER_INFO_KEY: answers.SERVER_INFO},
        }
        self.outlet.result(msgspec.json.encode(body))
        self.settle()
