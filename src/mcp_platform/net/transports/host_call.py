"""One call that the upstream-host is making for this process."""

import asyncio

from mcp_platform.base.errors import Fault
from mcp_platform.net.frames import FrameStream
from mcp_platform.net.transports import messages
from mcp_platform.net.transports.deadline import Deadline
from mcp_platform.net.transports.host_wire import (
    Asked,
    Done,
    Failed,
    FromHost,
    Probed,
    Replied,
    Said,
    Withdrawn,
    unpack,
)
from mcp_platform.net.transports.model import Caller


class HostCall:
    """From its sending to its end."""

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
        elif self._caller is not None and isinstance(message, Said | Asked):
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
