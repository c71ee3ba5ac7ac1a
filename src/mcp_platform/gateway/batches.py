"""Batches: arrays of messages, which 2025-03-26 has and no other revision (basic/transports of 2025-03-26).

Each message passes through the same code as one that comes alone: limits, permission, record. Their answers are one
array; where one of them streams, all go out as events.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import answers
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.exchange import Exchange
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.inner_exchange import InnerExchange
from mcp_platform.gateway.stream_errors import BATCH_REFUSED, BATCH_WRONG
from mcp_platform.gateway.world import World
from mcp_platform.wire import headers as names
from mcp_platform.wire import json_text, sse

VERSION = "2025-03-26"
MAX_MESSAGES = 32
"""Messages in one batch: each may become a call."""
Serve = Callable[[InnerExchange], Awaitable[None]]
_raw = msgspec.json.Decoder(list[msgspec.Raw])


def is_one(body: bytes) -> bool:
    """Whether the body is an array."""
    return body[:64].lstrip(b" \t\r\n").startswith(b"[")


async def serve(world: World, endpoint: Endpoint, exchange: Exchange, identity: Identity, one: Serve) -> None:
    """Answer a batch; `one` answers each message. Raises Fault(json_*, session_*, batch_*)."""
    value = json_text.decode(exchange.body)
    session = world.sessions.open(exchange.headers.get(names.SESSION), identity, endpoint.name)
    if session.version != VERSION:
        raise Fault(BATCH_REFUSED)
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_MESSAGES:
        raise Fault(BATCH_WRONG)
    answer = _Together(exchange)
    inner = [
        InnerExchange(exchange, bytes(raw), exchange.headers, whole=answer.whole, part=answer.part)
        for raw in _raw.decode(exchange.body)
    ]
    for each in inner:
        exchange.on_gone(each.left)
    await asyncio.gather(*(one(each) for each in inner))
    answer.end()


class _Together:
    """The answers of one batch."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._whole: list[bytes] = []
        self._streams = False

    def whole(self, body: bytes) -> None:
        if self._streams:
            self._exchange.write(sse.encode(body))
        else:
            self._whole.append(body)

    def part(self, data: bytes) -> None:
        if not self._streams:
            self._streams = True
            self._exchange.start(200, answers.EVENTS, answers.STREAM_HEADERS)
            for body in self._whole:
                self._exchange.write(sse.encode(body))
        self._exchange.write(data)

    def end(self) -> None:
        if self._exchange.gone:
            return
        if self._streams:
            self._exchange.end()
        elif self._whole:
            self._exchange.reply(200, b"[" + b",".join(self._whole) + b"]", answers.JSON)
        else:
            self._exchange.reply(202)
