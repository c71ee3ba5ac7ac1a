"""One route, bound to its action: permission, question, execute, answer. Whatever is refused on the way is audited."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.control.errors import ACTION_TOO_SLOW
from mcp_platform.control.execute import Executor, Guard
from mcp_platform.control.rest import question, shown, state
from mcp_platform.control.rest.cursor import Cursors
from mcp_platform.control.rest.errors import STATE_CHANGED, STATE_UNSAID
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.features.tokens.tables import require_good
from mcp_platform.store.action import Actor, Context
from mcp_platform.store.route import Route
from mcp_platform.store.unit import Unit

ACTION_TIMEOUT_S = 300.0
"""Seconds for an action, as at the CLI's door: the slowest server may start, and list 10,000 tools."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as HTTP reads it."""

    actor: Actor
    path: Mapping[str, str]
    query: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class Endpoint:
    """Answers one route."""

    def __init__(self, route: Route, resource: Route | None, executor: Executor, cursors: Cursors) -> None:
        """`resource` shows what `route` changes, where it is guarded."""
        self.route = route
        self._resource = resource
        self._executor = executor
        self._cursors = cursors

    async def answer(self, asked: Asked) -> Answer:
        """Raises Fault."""
        route, actor = self.route, asked.actor
        read = await self._read(asked)
        params: dict[str, object] = {**read.params}
        if route.listing is not None:
            params["limit"] = read.limit
        if route.listing is not None and read.cursor is not None:
            params[route.listing.after] = await self._after(read, actor)
        guard = self._guard(asked)
        try:
            async with asyncio.timeout(ACTION_TIMEOUT_S):
                result = await self._executor.execute(route.action.name, params, actor, guard=guard)
        except TimeoutError:
            raise Fault(ACTION_TOO_SLOW) from None
        return self._shown(asked, read, result)

    async def _read(self, asked: Asked) -> question.Question:
        """The permission comes first: whoever has it not learns nothing of what would be right."""
        name = self.route.action.name
        if self.route.permission not in asked.actor.permissions:
            raise await self._executor.refuse(name, asked.actor, Fault(FORBIDDEN))
        try:
            return question.read(self.route, asked.path, asked.query, asked.headers, asked.body)
        except Fault as fault:
            raise await self._executor.refuse(name, asked.actor, fault) from None

    async def _after(self, read: question.Question, actor: Actor) -> object:
        assert read.cursor is not None, "asked only where there is one"
        try:
            return self._cursors.read(read.cursor, actor.id, read.filters, self.route.path)
        except Fault as fault:
            raise await self._executor.refuse(self.route.action.name, actor, fault) from None

    def _guard(self, asked: Asked) -> Guard:
        """In the transaction: the token still stands, and the resource is in the state that was meant."""
        resource, actor = self._resource, asked.actor

        def guard(unit: Unit, context: Context) -> None:
            if actor.kind == "token":
                require_good(unit, actor.id.partition(":")[2])
            if resource is not None:
                _require_state(asked, _content(resource, asked.path, unit, context))

        return guard

    def _shown(self, asked: Asked, read: question.Question, result: dict[str, object]) -> Answer:
        route = self.route
        body = shown.content(route, result)
        if body is None:
            assert route.absent is not None, "a route to one thing says what is said without it"
            raise Fault(route.absent)
        headers = {}
        if route.listing is not None:
            after = shown.last(route, result)
            cursor = None
            if after is not None:
                cursor = self._cursors.make(after, asked.actor.id, read.filters, route.path)
            # A cursor is another each time: the state of a list is what stands in it.
            headers["ETag"] = state.etag(body + (b"" if cursor is None else b"+"))
            body = shown.page(body, cursor)
        elif route.one is not None:
            headers["ETag"] = state.etag(body)
        known = asked.headers.get("if-none-match")
        if known is not None and "ETag" in headers and state.is_known(known, headers["ETag"]):
            return Answer(304, headers=headers)
        return Answer(route.status, body, headers)


def _content(resource: Route, path: Mapping[str, str], unit: Unit, context: Context) -> bytes | None:
    """The resource as it is in this transaction; None where there is none."""
    wanted = {resource.names.get(name, name): value for name, value in path.items()}
    params = msgspec.convert(wanted, type=resource.action.params)
    return shown.content(resource, resource.action.run(unit, params, context).result)


def _require_state(asked: Asked, now: bytes | None) -> None:
    """Raises Fault(state_changed | state_unsaid). Where there is nothing, the action itself says so."""
    wanted, unwanted = asked.headers.get("if-match"), asked.headers.get("if-none-match")
    if now is None:
        if wanted is not None and wanted != "*":
            raise Fault(STATE_CHANGED)
        return
    tag = state.etag(now)
    if unwanted is not None and state.is_known(unwanted, tag):
        raise Fault(STATE_CHANGED)
    if wanted is None:
        raise Fault(STATE_UNSAID)
    if not state.matches(wanted, tag):
        raise Fault(STATE_CHANGED)
