"""The journal as the gateway uses it: an intent before a call is sent, an outcome before its answer is released.

    ticket = await journal.intent(Intent(principal=…, tool=…, …), arguments)   # Fault: do not make the call
    …send it upstream…
    await ticket.outcome("ok", result=answer)      # returns when the answer may be released; Fault: withhold it
    ticket.note("cancelled")                       # where nobody waits for an answer: not awaited
    journal.answered(Answered(method=…, principal=…))  # before an answer of our own; Fault: do not answer
    journal.refusal(Refusal(error=…, address=…))   # never raises, never waits

In `relaxed` none of these gives up the loop unless the disk is in trouble; `group` waits for one sync, `strict` two.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine

from mcp_platform.base.errors import Fault
from mcp_platform.journal.content import ARGUMENTS, RESULT, hashed, recorded
from mcp_platform.journal.errors import JOURNAL_UNAVAILABLE
from mcp_platform.journal.options import OUTCOME_BYTES
from mcp_platform.journal.position import Position
from mcp_platform.journal.record import Answered, Content, Intent, Outcome, Refusal
from mcp_platform.journal.refusals import RefusalTable
from mcp_platform.journal.subjects import SubjectKey, SubjectKeys
from mcp_platform.journal.writer import JournalWriter

INTENT_BYTES = 4096
"""Bytes reckoned for an intent beside its content: names have ceilings far below."""


class Ticket:
    """One intent that waits for its outcome."""

    __slots__ = ("_began", "_journal", "_key", "_trace", "done", "position")

    def __init__(self, journal: "CallJournal", position: Position, trace: str, key: SubjectKey | None) -> None:
        self._journal = journal
        self._key = key
        self._trace = trace
        self._began = time.monotonic_ns()
        self.position = position
        self.done = False
        """True once the outcome is in the journal; any other is ignored."""

    async def outcome(self, outcome: str, *, error: str = "", result: bytes = b"") -> None:
        """Record how the call ended (see record.Outcome) and return when the answer may be released.

        Raises Fault(outcome_not_recorded): the record will be written when the disk allows, the answer must not wait.
        """
        position = self._append(outcome, error, result)
        if position is not None:
            await self._journal.released(position)

    def note(self, outcome: str, *, error: str = "") -> None:
        """Record how the call ended; nobody waits for an answer. After the journal's end its outcome is `unknown`."""
        with contextlib.suppress(Fault):
            self._append(outcome, error, b"")

    def _append(self, outcome: str, error: str, result: bytes) -> Position | None:
        if self.done:
            return None
        self.done = True
        record = Outcome(
            trace=self._trace,
            outcome=outcome,
            error=error,
            latency_us=(time.monotonic_ns() - self._began) // 1000,
            response_bytes=len(result),
        )
        if result and self._key is not None:
            record.result = self._journal.content(self._key, result)
        return self._journal.writer.append_outcome(record, self.position)


class CallJournal:
    """One worker's."""

    def __init__(self, writer: JournalWriter, subjects: SubjectKeys, policy: str) -> None:
        self.writer = writer
        self._subjects = subjects
        self._policy = policy
        self._refusals = RefusalTable(writer)
        self._summing: asyncio.TimerHandle | None = None
        self._waits_for_sync = writer.options.durability != "relaxed"
        self._strict = writer.options.durability == "strict"

    async def intent(self, intent: Intent, arguments: bytes = b"") -> Ticket:
        """Record that a call is about to be made, and return when it may be. The subject of its content is the
        principal. Raises Fault(journal_unavailable)."""
        key = None
        if self._policy != "none":
            key = self._subjects.kept(intent.principal) or await self._subjects.key(intent.principal)
            if arguments:
                intent.arguments = recorded(self._policy, key, ARGUMENTS, arguments)
        size = INTENT_BYTES + (len(intent.arguments.value) if intent.arguments else 0)
        writer = self.writer
        if not writer.admits(size):
            await writer.admitted(size)
        ticket = Ticket(self, writer.append(intent), intent.trace, key)
        if self._strict and not intent.read_only:
            await self._held(ticket, writer.synced(ticket.position))
        elif not writer.flush():
            await self._held(ticket, writer.written(ticket.position))
        return ticket

    async def _held(self, ticket: Ticket, until: Coroutine[None, None, None]) -> None:
        """The call waits for its intent; one that is given up meanwhile is not made, and has its outcome."""
        try:
            await until
        except Fault as fault:
            ticket.note("refused", error=JOURNAL_UNAVAILABLE.code)
            raise Fault(JOURNAL_UNAVAILABLE, retry_after_s=1) from fault
        except asyncio.CancelledError:
            ticket.note("cancelled")
            raise

    async def released(self, position: Position) -> None:
        """Returns when an answer whose outcome stands at `position` may be sent. Raises Fault(outcome_not_recorded)."""
        if self._waits_for_sync:
            await self.writer.synced(position)
        elif not self.writer.flush():
            await self.writer.written(position)

    def content(self, key: SubjectKey, result: bytes) -> Content | None:
        """What is recorded of a result: less than policy says where the room is kept for outcomes of other calls."""
        content = recorded(self._policy, key, RESULT, result)
        size = len(content.value) if content is not None else 0
        if size > OUTCOME_BYTES // 4 and not self.writer.admits(size):
            return hashed(key, RESULT, result)
        return content

    def answered(self, record: Answered) -> None:
        """Record a request that is answered here; nobody waits. Raises Fault(journal_unavailable)."""
        self.writer.admit(INTENT_BYTES)
        self.writer.append(record)

    def refusal(self, refusal: Refusal) -> None:
        """Record that a request was refused. Never raises, never waits."""
        self._refusals.note(refusal, time.time_ns())
        if self._summing is None:
            loop = asyncio.get_running_loop()
            self._summing = loop.call_later(self._refusals.due_in_s, self._sum_up)

    def _sum_up(self) -> None:
        self._summing = None
        self._refusals.sum_up()

    async def close(self) -> None:
        """Write what is open or summed up, seal the segment, let go."""
        if self._summing is not None:
            self._summing.cancel()
        self._refusals.sum_up(last=True)
        await self.writer.close()
