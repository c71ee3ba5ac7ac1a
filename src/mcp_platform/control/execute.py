"""The only way to change anything: permission, then one transaction of change, audit row, revision and snapshot.

What cannot be audited or published does not happen. Refusals are audited too, in a transaction of their own.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import msgspec

from mcp_platform.base import clock, ids
from mcp_platform.base.config import Settings
from mcp_platform.base.errors import INTERNAL, INVALID, Fault
from mcp_platform.base.log import Log
from mcp_platform.control.entry import SYSTEM
from mcp_platform.control.errors import ACTION_UNKNOWN
from mcp_platform.control.misnamed import misnamed
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
Guard = Callable[[Unit, Context], None]
"""What must still hold in the transaction of an action; raises Fault where it does not."""


class Records(Protocol):
    """Where all that is asked of control is recorded, beside SQL and before it."""

    async def control(self, kind: str, event: Event, *, trace: str, revision: int = 0) -> None:
        """Returns when it is on the disk. Raises Fault: then what it speaks of does not happen."""


class Unrecorded:
    """No journal: the first run, and tests of other things."""

    async def control(self, kind: str, event: Event, *, trace: str, revision: int = 0) -> None:
        """Nothing to do."""


class Publishes(Protocol):
    """Who makes a snapshot of what changed and hands it to the workers."""

    def build(self, unit: Unit, touched: Touched, revision: int, /) -> Any:  # noqa: ANN401  # its own business
        """Raises Fault where no snapshot can be made of it: then the change does not happen."""

    async def publish(self, draft: Any) -> dict[str, object]:  # noqa: ANN401  # what build made
        """Hand out what was committed; says how many workers took it."""


@dataclass(frozen=True, slots=True)
class _Done:
    answer: dict[str, object] = field(repr=False)
    draft: Any
    event: Event
    revision: int
    change: Change


@dataclass(slots=True)
class _Asked:
    """One request on its way."""

    action: Action
    actor: Actor
    params: msgspec.Struct | None = field(default=None, repr=False)
    """None until they are decoded."""
    recorded: str = "{}"
    """What the audit log keeps of them."""
    guard: Guard | None = None
    found: Any = None
    """What was looked up before it was asked."""
    trace: str = field(default_factory=lambda: ids.random_text(16))
    """Binds the records of one request."""

    def failed(self, outcome: str, code: str) -> Event:
        return _event(self.actor, self.action.audit, outcome, error=code, params=self.recorded)


def _event(
    actor: Actor, tag: Tag, outcome: str, *, target: str | None = None, error: str | None = None, params: str = "{}"
) -> Event:
    return Event(actor.id, tag, outcome, target, error, params, actor.agent, actor.address)


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
        self._under_way: set[asyncio.Task[Any]] = set()
        self.observe: Callable[[], Mapping[str, object]] = dict
        """Asked on the loop before each action; whoever knows the workers puts its answer here."""
        self.record: Records = Unrecorded()
        self.published: Callable[[Touched], None] = lambda touched: None
        """Told of each change when the workers have been; must not fail."""
        self.in_vain: Callable[[str, str], None] = lambda action, name: None
        """Told of each action that looked outside in vain, and of the name of what it looked for; must not fail."""

    async def execute(
        self,
        name: str,
        params: object,
        actor: Actor,
        progress: Progress | None = None,
        guard: Guard | None = None,
        found: object = None,
    ) -> dict[str, object]:
        """The answer to one request. `params` is decoded JSON; `found` is what the action would look up outside, from
        a part of the platform that has done so already. Raises Fault."""
        action = self._actions.get(name)
        if action is None or (action.internal and actor.kind != "system"):
            unknown = _event(actor, Tag.PLATFORM_REQUEST_UNKNOWN, "refused", error=ACTION_UNKNOWN.code)
            await self._audit(unknown, ids.random_text(16))
            raise Fault(ACTION_UNKNOWN)
        asked = _Asked(action, actor, guard=guard, found=found)
        context = await self._or_audited(asked, self._prepare(asked, params, progress))
        # It runs to its end, and is published, even if the caller goes away.
        return await asyncio.shield(self._own(self._or_audited(asked, self._change(asked, context))))

    async def refuse(self, name: str, actor: Actor, fault: Fault) -> Fault:
        """Audit what a door refused before it came to `execute`; gives `fault` back, to be raised."""
        await self._audit(_Asked(self._actions[name], actor).failed("refused", fault.kind.code), ids.random_text(16))
        return fault

    async def audit(self, event: Event) -> None:
        """Write down something that happened at a door, where there is no action to speak of."""
        await self._audit(event, ids.random_text(16))

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._let_go)
        return task

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # told to the caller, if there still is one, and audited

    async def _or_audited(self, asked: _Asked, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives; where it gives nothing, the audit log says so. Raises Fault."""
        try:
            return await work
        except Fault as fault:
            outcome = "refused" if fault.kind.whose == "caller" else "failed"
            await self._audit(asked.failed(outcome, fault.kind.code), asked.trace)
            raise
        except asyncio.CancelledError:
            self._own(self._audit(asked.failed("failed", "cancelled"), asked.trace))
            raise
        except Exception as error:  # the root of an action: whatever it is, it is logged, audited and told safely
            _log.error("action_failed", exc=error, action=asked.action.name)
            await self._audit(asked.failed("failed", INTERNAL.code), asked.trace)
            raise Fault(INTERNAL) from error

    async def _prepare(self, asked: _Asked, params: object, progress: Progress | None) -> Context:
        """Decode and judge; then ask the database and the world outside, before the transaction that changes things."""
        action, actor = asked.action, asked.actor
        given = asked.params = decode(action, params)
        asked.recorded = recordable(action, given)
        if action.permission not in actor.permissions:
            raise Fault(FORBIDDEN)
        context = Context(actor=actor, secrets=self._secrets, settings=self._settings, observed=self.observe())
        if asked.found is not None:
            return replace(context, found=asked.found)
        gather = action.gather
        if gather is None:
            return context
        gathered = await self.read(lambda unit: gather(unit, given, context))
        if action.look is None:
            return replace(context, found=gathered)
        if progress is not None and action.looking:
            progress(action.looking.format(name=getattr(given, "name", "")), 0, 1)
        try:
            return replace(context, found=await action.look(gathered, self._reach))
        except Fault:
            self.in_vain(action.name, getattr(given, "name", ""))
            raise

    async def _change(self, asked: _Asked, context: Context) -> dict[str, object]:
        action = asked.action
        if action.reads:
            read = await self._in_thread(lambda: self._transact(asked, context))
            await self.record.control("read", read.event, trace=asked.trace, revision=read.revision)
            return read.answer
        begun = _event(asked.actor, action.audit, "begun", params=asked.recorded)
        await self.record.control("change", begun, trace=asked.trace)
        async with self._turn:  # revisions are published in the order in which they were committed
            done = await self._in_thread(lambda: self._transact(asked, context))
            published = await self._publish(done.draft)
            await self._said(asked, done)
            self.published(done.change.touched)
        for name, params in done.change.then:
            await self._next(name, params)
        return {**done.answer, "published": published}

    async def _next(self, name: str, params: Mapping[str, object]) -> None:
        """What a change has the platform do besides is a change of its own, which may fail by itself."""
        try:
            await self.execute(name, dict(params), SYSTEM)
        except Fault as fault:
            _log.error("next_action_failed", exc=fault, action=name)

    def _transact(self, asked: _Asked, context: Context) -> _Done:
        action = asked.action
        with self._store.unit(clock.now()) as unit:
            if asked.guard is not None:
                asked.guard(unit, context)
            change = action.run(unit, asked.params, context)
            warned = {} if action.names is None else {"warnings": _warnings(unit, action.names, asked.params)}
            number = revision.lock(unit) if action.reads else revision.bump(unit)
            done = _event(asked.actor, action.audit, "ok", target=change.target, params=asked.recorded)
            append(unit, done)
            draft = None if action.reads else self._publisher.build(unit, change.touched, number)
        return _Done({**change.result, **warned, **change.secret}, draft, done, number, change)

    async def _said(self, asked: _Asked, done: _Done) -> None:
        """The change is committed, and its beginning is recorded: a disk that refuses now cannot take it back."""
        try:
            await self.record.control("change", done.event, trace=asked.trace, revision=done.revision)
        except Fault as fault:
            _log.error("change_not_recorded", exc=fault, action=asked.action.name)

    async def _publish(self, draft: Any) -> dict[str, object]:  # noqa: ANN401  # the publisher's own
        """The change is committed: what goes wrong here is told, and mended by the next publish or start."""
        try:
            return await self._publisher.publish(draft)
        except Exception as error:  # whatever it is, the caller must learn that the change stands
            _log.error("publish_failed", exc=error)
            return {"error": "committed, but not yet handed to the workers; see the log"}

    async def _audit(self, event: Event, trace: str) -> None:
        """A refusal that cannot be written is logged: nothing was changed, and the caller is refused all the same."""

        def write() -> None:
            with self._store.unit(clock.now()) as unit:
                append(unit, event)

        try:
            await self._in_thread(write)
            await self.record.control("refusal", event, trace=trace)
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
        while self._under_way:
            await asyncio.wait(set(self._under_way))
        self._thread.shutdown(wait=True)


def _warnings(unit: Unit, names: Callable[[Any], Iterable[str]], params: Any) -> list[str]:  # noqa: ANN401  # its own
    return misnamed(unit, names(params), strict=params.strict)


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
