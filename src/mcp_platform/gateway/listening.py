"""subscriptions/listen (2026-07-28): one request whose answer is a stream of changes.

The acknowledgement comes first and says what is honoured: kinds of lists, those of the resources that the caller may
read and whose servers tell, and likewise of its tasks (extension io.modelcontextprotocol/tasks). Every message carries
the request's id. All of it ends with the stream.
"""

import asyncio

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.gateway import about, answers, kept_sessions, tasks
from mcp_platform.gateway.exchange import KEEP_ALIVE_S, MAX_WAITING_BYTES, Exchange
from mcp_platform.gateway.hub import MAX_WATCHED, Audience, Hub
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.stream_errors import SUBSCRIPTIONS_TOO_MANY
from mcp_platform.gateway.watched import Watched, WatchedResource, WatchedTask
from mcp_platform.wire import jsonrpc, sse
from mcp_platform.wire.errors import INVALID_PARAMS
from mcp_platform.wire.versions import SERVER_INFO_KEY, SUBSCRIPTION_KEY

_MEMBERS = {
    "tools": "toolsListChanged",
    "prompts": "promptsListChanged",
    "resources": "resourcesListChanged",
}
"""Kind of list → the member of the filter that asks for its changes."""
_WATCHED = {WatchedResource.method: "resourceSubscriptions", WatchedTask.method: "taskIds"}
"""The notification → the member of the filter that asks for it."""
_meta = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class _Filter(msgspec.Struct, rename="camel"):
    """What a client asks for; members that we do not know are not honoured."""

    tools_list_changed: bool | None = None
    prompts_list_changed: bool | None = None
    resources_list_changed: bool | None = None
    resource_subscriptions: list[str] | None = None
    task_ids: list[str] | None = None


class ListenVoice:
    """One listen stream."""

    def __init__(self, exchange: Exchange, identity: jsonrpc.Id) -> None:
        self._exchange = exchange
        self._identity = identity
        self._subscription = msgspec.Raw(_encode(identity))
        self._early: list[bytes] | None = []
        """What was to be told before the acknowledgement; None after it."""
        self._spoke_at = clock.monotonic()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def acknowledge(self, honoured: dict[str, object]) -> None:
        """Begin: say what is honoured, then what has happened since."""
        self._exchange.start(200, answers.EVENTS, answers.STREAM_HEADERS)
        early, self._early = self._early, None
        self.tell("notifications/subscriptions/acknowledged", {"notifications": msgspec.Raw(_encode(honoured))})
        for message in early or ():
            self._write(message)

    def tell(self, method: str, params: dict[str, msgspec.Raw]) -> None:
        given = _meta.decode(params["_meta"]) if "_meta" in params else {}
        meta = msgspec.Raw(_encode({**given, SUBSCRIPTION_KEY: self._subscription}))
        message = jsonrpc.notification(method, _encode({**params, "_meta": meta}))
        if self._early is not None:
            self._early.append(message)
        else:
            self._write(message)

    def cut(self, fault: Fault | None) -> None:
        """The graceful end is the answer to the request; a refusal is one, too."""
        if self.over.done():
            return
        if self._early is None and not self._exchange.gone:
            if fault is not None:
                self._exchange.write(sse.encode(answers.fault_body(fault, self._identity)))
            else:
                meta = {SUBSCRIPTION_KEY: self._subscription, SERVER_INFO_KEY: answers.SERVER_INFO}
                value = _encode({"resultType": "complete", "_meta": meta})
                self._exchange.write(sse.encode(jsonrpc.result(self._identity, value)))
            self._exchange.end()
        self.over.set_result(None)

    def keep_alive_if_due(self, now: float) -> None:
        if self._early is None and not self.over.done() and now - self._spoke_at >= KEEP_ALIVE_S:
            self._spoke_at = now
            self._exchange.write(b": keep-alive\n\n")

    def left(self) -> None:
        """The client went away."""
        if not self.over.done():
            self.over.set_result(None)

    def _write(self, message: bytes) -> None:
        if self.over.done():
            return
        if self._exchange.waiting_bytes > MAX_WAITING_BYTES:  # a new listen and new lists cost less than its memory
            self._exchange.end()
            self.over.set_result(None)
            return
        self._spoke_at = clock.monotonic()
        self._exchange.write(sse.encode(message))


async def listen(request: Request) -> None:
    """Answer one subscriptions/listen; returns when its stream has ended. Raises Fault(params_invalid,
    streams_too_many, subscriptions_too_many)."""
    wanted, watched = _read(request)
    kept = any(kept_sessions.is_kept(each.item.upstream) for each in watched)
    if kept and await kept_sessions.sent_home(request, stands=True):
        return
    hub, principal = request.world.hub, request.identity.principal.id
    hub.admit(principal)
    voice = ListenVoice(request.exchange, request.id)
    audience = Audience(
        request.identity,
        request.endpoint.name,
        frozenset(wanted),
        voice,
        request.meta.capabilities_raw,
        request.meta.client_info,
    )
    request.exchange.on_gone(voice.left)
    hub.join(audience)
    try:
        await _watch(hub, audience, watched)
        if not voice.over.done():
            voice.acknowledge(_honoured(wanted, [each for each in watched if each.name in audience.watched]))
        await voice.over
    finally:
        hub.leave(audience)
        hub.release(principal)


def _read(request: Request) -> tuple[list[str], list[Watched]]:
    """The kinds of lists, the resources and the tasks that are asked for and can be honoured. What is not the caller's
    looks like what does not exist: it is left out."""
    try:
        asked = msgspec.json.decode(request.message.raw.get("notifications", b""), type=_Filter)
    except (msgspec.MsgspecError, ValueError):
        text = "`notifications` must be an object of kinds of notifications that are asked for."
        raise Fault(INVALID_PARAMS, text) from None
    uris = dict.fromkeys(asked.resource_subscriptions or ())
    ids = dict.fromkeys((asked.task_ids or ()) if tasks.declares(request) else ())
    if len(uris) + len(ids) > MAX_WATCHED:
        raise Fault(SUBSCRIPTIONS_TOO_MANY)
    allowed = request.identity.allowed
    declared = about.capabilities(request.endpoint, allowed, modern=True)
    flags = {
        "tools": asked.tools_list_changed,
        "prompts": asked.prompts_list_changed,
        "resources": asked.resources_list_changed,
    }
    items = ((uri, request.endpoint.resource(uri, allowed)) for uri in uris)
    watched: list[Watched] = [WatchedResource(uri, item) for uri, item in items if item is not None]
    known = ((text, tasks.resolve(request, text)) for text in ids)
    watched += [WatchedTask(text, found[1], found[0].inner) for text, found in known if found is not None]
    return [kind for kind, flag in flags.items() if flag and kind in declared], watched


def _honoured(kinds: list[str], watched: list[Watched]) -> dict[str, object]:
    """The filter as it is acknowledged."""
    names = {member: [each.name for each in watched if _WATCHED[each.method] == member] for member in _WATCHED.values()}
    return {**{_MEMBERS[kind]: True for kind in kinds}, **{member: found for member, found in names.items() if found}}


async def _watch(hub: Hub, audience: Audience, watched: list[Watched]) -> None:
    """Watch them all at once: a server that does not answer holds up nobody else's for longer than it would itself."""
    watches = [hub.watch(audience, each) for each in watched]
    for outcome in await asyncio.gather(*watches, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, Fault):
            raise outcome
