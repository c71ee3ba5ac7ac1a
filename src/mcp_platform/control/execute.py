"""The only way to change anything: permission, then one transaction of change, audit row, revision and snapshot.

What cannot be audited or published does not happen. Refusals are audited too, in a transaction of their own.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.config import Settings
from mcp_platform.base.errors import INTERNAL, INVALID, Fault
from mcp_platform.base.log import Log
from mcp_platform.control.errors import ACTION_UNKNOWN
from mcp_platform.features.audit.actions import Event, append, recordable
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.features.upstreams.check import Reach
from mcp_platform.features.vault.keys import KeyRing
from mcp_platform.store import revision
from mcp_platform.store.action import Action, Actor, Change, Context, Secrets, Touched
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Store, Unit

_log = Log("control.execute")
T = TypeVar("T")
Progress = Callable[[str, int, int], None]


class Publishes(Protocol):
    """Who makes a snapshot of what changed and hands it to the workers."""

    def build(self, unit: Unit, touched: Touched, revision: int, /) -> Any:  # noqa: ANN401  # its own business
        """Raises Fault where no snapshot can be made of it: then the change does not happen."""

    async def publish(self, draft: Any) -> dict[str, object]:  # noqa: ANN401  # what build made
        """Hand out what was committed; says how many workers took it."""


@dataclass(frozen=True, slots=True)
class _Done:
    change: Change
    draft: Any


class Executor:
    """Runs actions, one transaction at a time, in a thread of its own."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        settings: Settings,
        publisher: Publishes,
        reach: Reach,
        actions: Mapping[str, Action],
    ) -> None:
        self._store = store
        self._secrets = Secrets(mac_key=ring.mac_key, data_key=ring.data_key)
        self._settings = settings
        self._publisher = publisher
        self._reach = reach
        self._actions = actions
        self._thread = ThreadPoolExecutor(1, "store")
        self._turn = asyncio.Lock()
        self._changing: set[asyncio.Task[dict[str, object]]] = set()
        self.observe: Callable[[], Mapping[str, object]] = dict
        """Asked on the loop before each action; whoever knows the workers puts its answer here."""

    async def execute(
        self, name: str, params: object, actor: Actor, progress: Progress | None = None
    ) -> dict[str, object]:
        """The answer to one request. `params` is decoded JSON. Raises Fault."""
        action = self._actions.get(name)
        if action is None or (action.internal and actor.kind != "system"):
            await self._audit(Event(actor.id, Tag.PLATFORM_REQUEST_UNKNOWN, "refused", error=ACTION_UNKNOWN.code))
            raise Fault(ACTION_UNKNOWN)
        recorded = "{}"
        try:
            given = decode(action, params)
            recorded = recordable(action, given)
            if action.permission not in actor.permissions:
                raise Fault(FORBIDDEN)
            context = await self._prepare(action, given, actor, progress)
            changing = asyncio.get_running_loop().create_task(self._change(action, given, context, recorded))
            self._changing.add(changing)  # it runs to its end, and is published, even if the caller goes away
            changing.add_done_callback(self._changing.discard)
            return await asyncio.shield(changing)
        except Fault as fault:
            outcome = "refused" if fault.kind.whose == "caller" else "failed"
            await self._audit(Event(actor.id, action.audit, outcome, error=fault.kind.code, params=recorded))
            raise
        except Exception as error:  # the root of an action: whatever it is, it is logged, audited and told safely
            _log.error("action_failed", exc=error, action=action.name)
            await self._audit(Event(actor.id, action.audit, "failed", error=INTERNAL.code, params=recorded))
            raise Fault(INTERNAL) from error

    async def _prepare(
        self, action: Action, params: msgspec.Struct, actor: Actor, progress: Progress | None
    ) -> Context:
        """Ask the database, then the world outside, before the transaction that changes things."""
        context = Context(actor=actor, secrets=self._secrets, settings=self._settings, observed=self.observe())
        gather = action.gather
        if gather is None:
            return context
        gathered = await self.read(lambda unit: gather(unit, params, context))
        if action.look is None:
            return replace(context, found=gathered)
        if progress is not None:
            progress(action.looking, 0, 1)
        return replace(context, found=await action.look(gathered, self._reach))

    async def _change(
        self, action: Action, params: msgspec.Struct, context: Context, recorded: str
    ) -> dict[str, object]:
        async with self._turn:
            done = await self._in_thread(lambda: self._transact(action, params, context, recorded))
            answer = {**done.change.result, **done.change.secret}
            if not action.reads:
                answer["published"] = await self._publish(done.draft)
        return answer

    def _transact(self, action: Action, params: msgspec.Struct, context: Context, recorded: str) -> _Done:
        with self._store.unit(clock.now()) as unit:
            change = action.run(unit, params, context)
            number = revision.lock(unit) if action.reads else revision.bump(unit)
            append(unit, Event(context.actor.id, action.audit, "ok", target=change.target, params=recorded))
            draft = None if action.reads else self._publisher.build(unit, change.touched, number)
        return _Done(change, draft)

    async def _publish(self, draft: Any) -> dict[str, object]:  # noqa: ANN401  # the publisher's own
        """The change is committed: what goes wrong here is told, and mended by the next publish or start."""
        try:
            return await self._publisher.publish(draft)
        except Exception as error:  # whatever it is, the caller must learn that the change stands
            _log.error("publish_failed", exc=error)
            return {"error": "committed, but not yet handed to the workers; see the log"}

    async def _audit(self, event: Event) -> None:
        """A refusal that cannot be written is logged: nothing was changed, and the caller is refused all the same."""

        def write() -> None:
            with self._store.unit(clock.now()) as unit:
                append(unit, event)

        try:
            await self._in_thread(write)
        except Fault as fault:
            _log.error("refusal_not_audited", exc=fault, actor=event.actor, tag=event.tag, error_code=event.error)

    async def read(self, question: Callable[[Unit], T]) -> T:
        """Ask the database something for the platform itself: the broker, the set-up page, the start."""

        def ask() -> T:
            with self._store.unit(clock.now()) as unit:
                return question(unit)

        return await self._in_thread(ask)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def close(self) -> None:
        """Let changes under way end, then let go of the thread. The store is its owner's."""
        if self._changing:
            await asyncio.wait(set(self._changing))
        self._thread.shutdown(wait=True)


def decode(action: Action, params: object) -> msgspec.Struct:
    """Raises Fault(invalid_input) that names our own fields, never what was sent."""
    fields = [field.name for field in msgspec.structs.fields(action.params)]
    if not isinstance(params, dict):
        raise Fault(INVALID, "The parameters are a JSON object.")
    if not set(params) <= set(fields):
        takes = ", ".join(fields) or "no parameters"
        raise Fault(INVALID, f"There is a parameter that {action.name} does not take; it takes: {takes}.")
    try:
        return msgspec.convert(params, type=action.params)
    except msgspec.ValidationError as error:
        # msgspec names the place and both kinds, never a value; our structs have no enums, whose message would
        raise Fault(INVALID, f"{error}.") from error
