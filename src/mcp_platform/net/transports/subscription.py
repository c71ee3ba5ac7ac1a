"""`subscriptions/listen` of 2026-07-28: one long request whose notifications carry its id. No I/O.

What a server acknowledges is what it can tell; what carries another id, or was not asked for, is not heard.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.net.transports import messages
from mcp_platform.net.transports.model import Answer, Call, Listener, Wanted
from mcp_platform.net.transports.offers import CHANGES, is_heard, subject_of
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_LOST, UPSTREAM_REFUSED, UPSTREAM_TIMEOUT

METHOD = "subscriptions/listen"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
ID_KEY = "io.modelcontextprotocol/subscriptionId"
ACKNOWLEDGE_S = 10.0
"""Seconds a server may take to acknowledge."""
_METHOD_NOT_FOUND = -32601


class _Filter(msgspec.Struct, omit_defaults=True):
    toolsListChanged: bool | None = None
    promptsListChanged: bool | None = None
    resourcesListChanged: bool | None = None
    resourceSubscriptions: list[str] | None = None
    taskIds: list[str] | None = None


class _Acknowledged(msgspec.Struct):
    notifications: _Filter


class _Tagged(msgspec.Struct):
    meta: dict[str, msgspec.Raw] = msgspec.field(name="_meta", default_factory=dict)


_tagged = msgspec.json.Decoder(_Tagged)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def request(owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted) -> Call:
    """The request, as a call in no dialect yet."""
    asked = _Filter(
        wanted.tools or None,
        wanted.prompts or None,
        wanted.resources or None,
        sorted(wanted.uris) or None,
        sorted(wanted.task_ids) or None,
    )
    params = _encode({"notifications": asked})
    return Call(method=METHOD, params=params, owner=owner, capabilities=capabilities, client_info=client_info)


def identity_of(params: bytes) -> int:
    """Which of our listen requests a notification is tagged with; -1 where with none."""
    try:
        given = bytes(_tagged.decode(params).meta.get(ID_KEY, b""))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return -1
    # Some servers spell every id as a string.
    return messages.number(given[1:-1] if given.startswith(b'"') else given)


class Subscription:
    """One listen request, from its sending to its end."""

    def __init__(self, wanted: Wanted, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        self.identity = 0
        self.honoured = Wanted()
        self.broken: asyncio.Future[Fault | None] = loop.create_future()
        self.release: Callable[[], object] = lambda: None
        """Ends the request at the server; set by whoever sent it."""
        self._wanted = wanted
        self._listener = listener
        self._acknowledged: asyncio.Future[None] = loop.create_future()

    async def acknowledged(self) -> None:
        """Wait for the acknowledgement. Raises Fault(upstream_*)."""
        try:
            async with asyncio.timeout(ACKNOWLEDGE_S):
                await self._acknowledged
        except TimeoutError:
            text = "The MCP server did not acknowledge that somebody listens."
            raise Fault(UPSTREAM_TIMEOUT, text, {"stage": "mcp"}) from None

    def notified(self, method: str, params: bytes) -> None:
        """A notification on the request's stream, or tagged with its id. Raises Fault(upstream_garbage)."""
        if identity_of(params) != self.identity:
            return
        if method == ACKNOWLEDGED:
            self._acknowledge(params)
        elif method in CHANGES and self._acknowledged.done():
            subject = subject_of(method, params)
            if subject is not None and is_heard(self.honoured, method, subject):
                self._listener.heard(method, _untagged(params))

    def _acknowledge(self, params: bytes) -> None:
        try:
            seen = msgspec.json.decode(params, type=_Acknowledged).notifications
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"}) from None
        wanted = self._wanted
        self.honoured = Wanted(
            tools=wanted.tools and bool(seen.toolsListChanged),
            prompts=wanted.prompts and bool(seen.promptsListChanged),
            resources=wanted.resources and bool(seen.resourcesListChanged),
            uris=wanted.uris & frozenset(seen.resourceSubscriptions or ()),
            task_ids=wanted.task_ids & frozenset(seen.taskIds or ()),
        )
        if not self._acknowledged.done():
            self._acknowledged.set_result(None)

    def answered(self, answer: Answer) -> None:
        """The response to the request: an orderly end, or a refusal."""
        if answer.error is None or self._acknowledged.done():
            self.end(None)
        elif messages.error_code(answer.error) == _METHOD_NOT_FOUND:
            # It tells nobody anything; that is no failure, and asking again is of no use.
            self._acknowledged.set_result(None)
        else:
            text = "The MCP server refused to let anybody listen."
            self.end(Fault(UPSTREAM_REFUSED, text, {"stage": "mcp"}))

    def end(self, fault: Fault | None) -> None:
        """Nothing more comes."""
        if not self._acknowledged.done():
            self._acknowledged.set_exception(fault or Fault(UPSTREAM_LOST))
            self._acknowledged.exception()  # whoever opened it may be gone
        if not self.broken.done():
            self.broken.set_result(fault)


def _untagged(params: bytes) -> bytes:
    members = _members.decode(params)
    meta = _members.decode(members["_meta"])
    del meta[ID_KEY]
    if meta:
        members["_meta"] = msgspec.Raw(_encode(meta))
    else:
        del members["_meta"]
    return _encode(members)


class ModernEar:
    """An ear at a modern server: one listen request after the other, the next open before the last is let go."""

    def __init__(self, send: "Callable[[Subscription, Wanted], Awaitable[None]]", listener: Listener) -> None:
        self.broken: asyncio.Future[Fault | None] = asyncio.get_running_loop().create_future()
        self._send = send
        """Sends the request for a subscription and sets its identity and release. Raises Fault(upstream_*)."""
        self._listener = listener
        self._current: Subscription | None = None
        self._changing = asyncio.Lock()

    @property
    def honoured(self) -> Wanted:
        return Wanted() if self._current is None else self._current.honoured

    async def want(self, wanted: Wanted) -> None:
        """Raises Fault(upstream_*); then the former request still stands."""
        async with self._changing:
            following = Subscription(wanted, self._listener)
            try:
                await self._send(following, wanted)
                await following.acknowledged()
            except BaseException:
                following.release()
                raise
            before, self._current = self._current, following
            following.broken.add_done_callback(lambda ended: self._ended(following, ended))
            if before is not None:
                before.release()

    def _ended(self, subscription: Subscription, ended: "asyncio.Future[Fault | None]") -> None:
        if subscription is self._current and not ended.cancelled() and not self.broken.done():
            self.broken.set_result(ended.result())

    async def close(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            current.release()
        self.broken.cancel()
