"""The answer to one request, from whatever an upstream sends for it: JSON, an event stream, or an HTTP status.

Everything here is sized and worded by somebody else; what does not fit becomes a Fault, never a guess.
"""

import asyncio

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.net.client_exchange import Exchange
from mcp_platform.net.transports import messages
from mcp_platform.net.transports.conversation import Conversation
from mcp_platform.net.transports.era import LEGACY
from mcp_platform.net.transports.messages import Message
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import (
    UPSTREAM_BUSY,
    UPSTREAM_DOWN,
    UPSTREAM_GARBAGE,
    UPSTREAM_LOST,
    UPSTREAM_REFUSED,
    UPSTREAM_TIMEOUT,
    UPSTREAM_TOO_LARGE,
)
from mcp_platform.wire.sse import EventTooLarge, SseParser

ENVELOPE_BYTES = 4096
"""Bytes that JSON-RPC and SSE may add to a result: id, member names, field names."""
MAX_ERROR_BYTES = 65536
"""Bytes of the body of a refusal that are looked at."""
MAX_STREAM_FACTOR = 4
"""An event stream may be this many times as large as one result: notifications are small beside what they are about."""
MAX_MESSAGES = 100_000
"""Messages in one stream: a sign of life every 36 ms for the longest call (one hour)."""
MESSAGES_A_TURN = 64
"""Messages after which other work of the loop gets its turn (about 1 ms)."""
_DOWN = frozenset({502, 503})


class Interrupted(Exception):
    """The stream ended before its answer, but named a place from which it can be read on."""

    def __init__(self, last_id: str, retry_ms: int | None) -> None:
        self.last_id = last_id
        self.retry_ms = retry_ms


async def read_reply(
    exchange: Exchange,
    identity: int,
    conversation: Conversation,
    most: int,
    era: str,
    *,
    batches: bool = False,
    last_id: str | None = None,
) -> Answer:
    """Raises Fault(upstream_*), Interrupted. `most`: bytes of the result; `last_id`: the event that was read before."""
    await exchange.head()
    status, kind = exchange.status, exchange.content_type
    if status in (401, 403):
        raise Fault(UPSTREAM_REFUSED, data={"stage": "auth", "http": status})
    if status == 200 and kind == "text/event-stream":
        return await _read_stream(exchange, identity, conversation, most, era, batches, last_id)
    if status == 200 and kind == "application/json":
        body = await exchange.read(most + ENVELOPE_BYTES)
        if batches:
            return _read_batch(body, identity, conversation, era)
        message = messages.parse(body)
        if message.method is not msgspec.UNSET or not _means(message, identity, strict=False):
            raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
        return messages.answer(message, era)
    if status >= 400 and kind == "application/json":
        return await _read_refusal(exchange, era)
    raise of_status(exchange)


def _read_batch(body: bytes, identity: int, conversation: Conversation, era: str) -> Answer:
    """2025-03-26: the answer may stand in an array, with notifications about it."""
    found: Answer | None = None
    for message in messages.parse_all(body):
        found = _take(message, identity, conversation, era) or found
    if found is None:
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
    return found


def _means(message: Message, identity: int, *, strict: bool) -> bool:
    """Whether an answer is the one to our request. A lone error may lack the id that its sender could not read."""
    given = message.identity
    if given == b"%d" % identity:
        return True
    return not strict and message.error is not msgspec.UNSET and given in (None, b"null")


async def _read_refusal(exchange: Exchange, era: str) -> Answer:
    """A JSON-RPC error under an HTTP error. It can mean no other request, whatever id it has (SDKs invent some)."""
    try:
        message = messages.parse(await exchange.read(MAX_ERROR_BYTES))
        if message.error is msgspec.UNSET:
            raise Fault(UPSTREAM_GARBAGE)
        return messages.answer(message, era)
    except Fault as fault:
        if fault.kind in (UPSTREAM_GARBAGE, UPSTREAM_TOO_LARGE):
            raise of_status(exchange) from None
        raise


def of_status(exchange: Exchange) -> Fault:
    """What an answer that is no JSON-RPC means."""
    status = exchange.status
    data: dict[str, object] = {"stage": "http", "http": status}
    if status == 200:
        text = "The MCP server behind this tool answered with a content type that is neither JSON nor an event stream."
        return Fault(UPSTREAM_GARBAGE, text, data)
    text = f"The MCP server behind this tool answered HTTP {status} instead of a result."
    if status in _DOWN:
        return Fault(UPSTREAM_DOWN, text, data)
    if status == 504:
        return Fault(UPSTREAM_TIMEOUT, text, data)
    if status == 429:
        given = exchange.headers.get("retry-after", "")
        retry_s = float(given) if given.isdigit() and len(given) < 6 else None
        return Fault(UPSTREAM_BUSY, text, data, retry_s)
    return Fault(UPSTREAM_GARBAGE, text, data)


async def _read_stream(
    exchange: Exchange,
    identity: int,
    conversation: Conversation,
    most: int,
    era: str,
    batches: bool,
    last_id: str | None,
) -> Answer:
    parser = SseParser(most + ENVELOPE_BYTES)
    size = count = 0
    while piece := await _next(exchange, parser, era, last_id):
        size += len(piece)
        try:
            events = parser.feed(piece)
        except EventTooLarge:
            raise Fault(UPSTREAM_TOO_LARGE, data={"max_bytes": most}) from None
        for event in events:
            count += 1
            if count % MESSAGES_A_TURN == 0:
                await asyncio.sleep(0)
            if event.kind == "message" and event.data:
                for message in messages.parse_all(event.data) if batches else (messages.parse(event.data),):
                    answer = _take(message, identity, conversation, era)
                    if answer is not None:
                        exchange.linger()
                        return answer
        if size > most * MAX_STREAM_FACTOR or count > MAX_MESSAGES:
            raise Fault(UPSTREAM_TOO_LARGE, data={"max_bytes": most * MAX_STREAM_FACTOR, "max_messages": MAX_MESSAGES})
    raise Fault(UPSTREAM_LOST)


async def _next(exchange: Exchange, parser: SseParser, era: str, last_id: str | None) -> bytes:
    """The next piece of the stream; at its end, in order or not, Interrupted where a legacy one can be read on."""
    try:
        piece = await exchange.next()
    except Fault as fault:
        if fault.kind is not UPSTREAM_LOST:
            raise
        piece = b""
    last_id = parser.last_id or last_id
    if not piece and last_id and era == LEGACY:
        raise Interrupted(last_id, parser.retry_ms)
    return piece


def _take(message: Message, identity: int, conversation: Conversation, era: str) -> Answer | None:
    if message.method is msgspec.UNSET:
        if not _means(message, identity, strict=True):
            raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
        return messages.answer(message, era)
    if message.identity is None:
        conversation.notified(message, identity)
    elif not conversation.asked(message):
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
    return None
