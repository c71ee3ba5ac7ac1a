"""What the journal is told of requests: who asked for what, what was decided by which rule, and how it ended."""

import random

from mcp_platform.base.errors import Fault
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.outlet import Exchange
from mcp_platform.gateway.paths import endpoint_name
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.world import World
from mcp_platform.journal.calls import CallJournal, Ticket
from mcp_platform.journal.record import Answered, Caller, Intent, Refusal
from mcp_platform.wire import trace
from mcp_platform.wire.jsonrpc import Message

MAX_METHOD_CHARACTERS = 64
"""Characters of a method in a record: a refused one may be anything."""


async def intent(journal: CallJournal, request: Request, item: Item, arguments: bytes) -> Ticket:
    """Record that `request` is about to be sent to the server of `item`. Raises Fault(journal_unavailable)."""
    record = Intent(
        trace=trace_of(request),
        session=request.session.hex(),
        address=request.exchange.address,
        method=request.message.method,
        server=item.server,
        tool=item.name,
        decision="allow",
        rule=item.rule(request.identity.allowed),
        revision=request.view.snapshot.revision,
        request_bytes=len(request.exchange.body),
        definition=item.definition,
        read_only=item.read_only,
        endpoint=request.endpoint.name,
    )
    _name(record, request.identity)
    return await journal.intent(record, arguments)


def answered(world: World, exchange: Exchange, caller: Identity, method: str, session: bytes = b"") -> None:
    """Record a request that is about to be answered here. Raises Fault(journal_unavailable)."""
    record = Answered(
        session=session.hex(),
        address=exchange.address,
        method=method[:MAX_METHOD_CHARACTERS],
        decision="allow",
        rule="known",
        revision=world.view.snapshot.revision if world.view else 0,
        request_bytes=len(exchange.body),
        endpoint=endpoint_name(exchange.path),
    )
    _name(record, caller)
    world.journal.answered(record)


def refused(
    world: World,
    exchange: Exchange,
    fault: Fault,
    caller: Identity | None,
    message: Message | None = None,
    endpoint: Endpoint | None = None,
) -> None:
    """Record that a request was refused and nothing was sent anywhere. `message`, `endpoint`: what was asked for and
    where, as far as that is known."""
    method = message.method if message is not None else None
    server, tool = ("", "") if message is None or endpoint is None else _meant(message, endpoint)
    refusal = Refusal(
        address=exchange.address,
        method=(method or f"{exchange.method} {exchange.path}")[:MAX_METHOD_CHARACTERS],
        server=server,
        tool=tool,
        decision="deny",
        rule=fault.kind.code,
        error=fault.kind.code,
        revision=world.view.snapshot.revision if world.view else 0,
        request_bytes=len(exchange.body),
        endpoint=endpoint_name(exchange.path),
    )
    if caller is not None:
        _name(refusal, caller)
    world.journal.refusal(refusal)


def _meant(message: Message, endpoint: Endpoint) -> tuple[str, str]:
    """Server and own name of what a refused request named, whether its caller may know of it or not: whoever reads the
    record may. Nothing where there is no such thing here: then the name is but a text of the caller's."""
    if message.method == "tools/call":
        tool = endpoint.tools.get(str(endpoint.called(message.params)))
        return ("", "") if tool is None else (tool.server, tool.name)
    if message.method == "prompts/get":
        prompt = endpoint.prompts.get(str(message.params.get("name")))
        return ("", "") if prompt is None else (prompt.server, prompt.name)
    resource = endpoint.resources.get(str(message.params.get("uri")))
    return ("", "") if resource is None else (resource.server, resource.uri)


def refused_early(journal: CallJournal, fault: Fault, address: str) -> None:
    """Record a refusal before there was a request to speak of: bad HTTP, a ceiling, a credential of the wrong form."""
    journal.refusal(Refusal(address=address, decision="deny", rule=fault.kind.code, error=fault.kind.code))


def trace_of(request: Request) -> str:
    """The trace that the client says this belongs to (W3C trace context in `_meta`), or one of its own."""
    meta = request.params.get("_meta")
    given = trace.trace_of(meta.get("traceparent")) if isinstance(meta, dict) else None
    return given or f"{random.getrandbits(128):032x}"  # unique, and no secret


def _name(record: Caller, identity: Identity) -> None:
    """Say in `record` who asked. The agent is known by a key of its own, or by what its token's issuer says."""
    record.principal = identity.principal.id
    record.agent = identity.agent
    record.agent_known = "key" if identity.token is None else "token"
    record.tenant = identity.principal.tenant
    record.credential = identity.credential
