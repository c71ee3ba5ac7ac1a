"""What the programs share that try every feature of a client (official Python SDKs): steps in, outcomes out.

Imports no SDK: each of them runs in an environment of its own. On stdin is `{"roots": [URI, …], "steps": [STEP, …]}`,
on stdout one outcome for each step, after the first, which says the era. What a step is, `Steps` says: each method but
`outcome` is the step of its name.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

Step = dict[str, Any]
Outcome = dict[str, Any]

STEP_S = 100.0
"""Seconds one step may take."""
HEAR_S = 75.0
"""Seconds until something must be heard that a server says by itself: above the longest time for which the platform
does not read the lists of a server again that says all the time that they changed."""
COUNTS = 100
"""Times a server is asked whether it was told, a tenth of a second apart."""
ANSWERS: dict[str, Any] = {
    "elicitation/create": {
        "name": "Ada",
        "username": "ada",
        "email": "ada@example.com",
        "color": "blue",
        "context": "tea",
        "ok": True,
    },
    "sampling/createMessage": "a model's words",
}
"""What the user and the model behind these clients say, whatever they are asked."""


class Heard:
    """What was said to this client that is no answer, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self._more = asyncio.Event()

    def add(self, kind: str, what: object) -> None:
        self.said.append((kind, what))
        self._more.set()

    def since(self, start: int, kind: str) -> list[Any]:
        return [what for of, what in self.said[start:] if of == kind]

    async def wait(self, start: int, kind: str, what: object = None) -> list[Any]:
        """All of a kind that came after `start`, as soon as there is one (or `what`), or in vain for HEAR_S."""
        until = time.monotonic() + HEAR_S
        while (left := until - time.monotonic()) > 0:
            found = self.since(start, kind)
            if found and (what is None or what in found):
                break
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), left)
            except TimeoutError:
                break
        return self.since(start, kind)


class Peer(Protocol):
    """One SDK's client, connected. It writes into `heard`: progress, asked, log, updated, changed."""

    heard: Heard
    era: str

    async def listed(self, kind: str) -> list[str]:
        """Names of all `tools`, `prompts`, or URIs of all `resources` or `templates`."""

    async def called(self, tool: str, arguments: dict[str, Any], level: str | None = None) -> tuple[bool, list[str]]:
        """Whether the call failed, and its texts. Cancelling this cancels the call, as a user of the SDK would."""

    async def prompted(self, name: str, arguments: dict[str, str]) -> list[str]: ...

    async def resource(self, uri: str) -> list[str]: ...

    async def completed(self, prompt: str | None, template: str | None, argument: str, value: str) -> list[str]: ...

    async def hear_of_logs(self, level: str) -> None:
        """What must be done once so that log messages come (legacy)."""

    def listening(self, uri: str | None, kind: str | None) -> AbstractAsyncContextManager[None]:
        """Hear of changes of the resource `uri`, or of the list `kind`."""


class Steps:
    """The steps, each a function of its members."""

    def __init__(self, peer: Peer, errors: type[Exception]) -> None:
        self.peer = peer
        self.heard = peer.heard
        self.errors = errors

    async def outcome(self, step: Step) -> Outcome:
        given = dict(step)
        try:
            async with asyncio.timeout(STEP_S):
                found: Outcome = await getattr(self, given.pop("do"))(**given)
                return found
        except self.errors as raised:
            error: Any = raised
            return {"error": {"code": error.error.code, "message": error.error.message, "data": error.error.data}}
        except Exception as error:  # an SDK that refuses by itself, or a step that took too long
            return {"raised": f"{type(error).__name__}: {error}"}

    async def list(self) -> Outcome:
        return {kind: await self.peer.listed(kind) for kind in ("tools", "prompts", "resources", "templates")}

    async def call(self, tool: str, arguments: dict[str, Any]) -> Outcome:
        start = len(self.heard.said)
        failed, texts = await self.peer.called(tool, arguments)
        heard = {kind: self.heard.since(start, kind) for kind in ("progress", "asked")}
        return {"failed": failed, "text": texts, **heard}

    async def cancel(self, tool: str, arguments: dict[str, Any], counted_by: str | None = None) -> Outcome:
        """Cancel a call once it has said that it goes on; `counted_by` says how many were cancelled at the server."""
        before = await self._count(counted_by)
        start = len(self.heard.said)
        call = asyncio.create_task(self.peer.called(tool, arguments))
        begun = asyncio.create_task(self.heard.wait(start, "progress"))
        await asyncio.wait((call, begun), return_when=asyncio.FIRST_COMPLETED)
        went_on, since = not call.done() and bool(begun.result()), time.monotonic()
        begun.cancel()
        call.cancel()
        await asyncio.wait((call,))
        outcome = {"went_on": went_on, "ended": call.cancelled(), "took_s": time.monotonic() - since}
        told = 0
        for _ in range(COUNTS if counted_by else 0):
            told = await self._count(counted_by) - before
            if told:
                break
            await asyncio.sleep(0.1)
        return {**outcome, "told": told}

    async def _count(self, counted_by: str | None) -> int:
        return int((await self.peer.called(counted_by, {}))[1][0]) if counted_by else 0

    async def log(self, level: str, tool: str, arguments: dict[str, Any]) -> Outcome:
        """Call a tool that logs; the levels of what was heard."""
        await self.peer.hear_of_logs(level)
        start = len(self.heard.said)
        failed, texts = await self.peer.called(tool, arguments, level)
        return {"failed": failed, "text": texts, "heard": await self.heard.wait(start, "log")}

    async def prompt(self, name: str, arguments: dict[str, str]) -> Outcome:
        start = len(self.heard.said)
        texts = await self.peer.prompted(name, arguments)
        return {"text": texts, "asked": self.heard.since(start, "asked")}

    async def read(self, uri: str) -> Outcome:
        return {"text": await self.peer.resource(uri)}

    async def complete(
        self, argument: str, value: str, prompt: str | None = None, template: str | None = None
    ) -> Outcome:
        return {"values": await self.peer.completed(prompt, template, argument, value)}

    async def update(self, uri: str, tool: str, arguments: dict[str, Any]) -> Outcome:
        """Subscribe to a resource and call the tool that changes it."""
        return await self._changed("updated", uri, self.peer.listening(uri, None), tool, arguments)

    async def change(self, kind: str, tool: str, arguments: dict[str, Any]) -> Outcome:
        """Call the tool that changes a list."""
        return await self._changed("changed", kind, self.peer.listening(None, kind), tool, arguments)

    async def _changed(
        self, how: str, what: str, listening: AbstractAsyncContextManager[None], tool: str, arguments: dict[str, Any]
    ) -> Outcome:
        async with listening:
            start = len(self.heard.said)
            failed, texts = await self.peer.called(tool, arguments)
            return {"failed": failed, "text": texts, "heard": await self.heard.wait(start, how, what)}


@asynccontextmanager
async def heard_by(events: AsyncIterator[Any], note: Callable[[Any], None]) -> AsyncIterator[None]:
    """Note each event of a stream meanwhile."""

    async def listen() -> None:
        async for event in events:
            note(event)

    task = asyncio.create_task(listen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


Connect = Callable[[str, str, list[str]], AbstractAsyncContextManager[Peer]]
"""URL, key and roots."""


def main(connect: Connect, errors: type[Exception]) -> None:
    url, key = sys.argv[1:]
    print(json.dumps(asyncio.run(_outcomes(connect, errors, url, key))))


async def _outcomes(connect: Connect, errors: type[Exception], url: str, key: str) -> list[Outcome]:
    given = json.load(sys.stdin)
    async with connect(url, key, given["roots"]) as peer:
        steps = Steps(peer, errors)
        return [{"era": peer.era}, *[await steps.outcome(step) for step in given["steps"]]]
