"""`subscriptions/listen` of 2026-07-28 over HTTP: a POST whose stream stands open until one side lets go."""

import asyncio
from collections.abc import Callable

import msgspec

from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.net.client_exchange import Exchange
from mcp_platform.net.transports import era, messages
from mcp_platform.net.transports.http_endpoint import Endpoint
from mcp_platform.net.transports.http_reply import MAX_ERROR_BYTES, MESSAGES_A_TURN, of_status
from mcp_platform.net.transports.messages import Message
from mcp_platform.net.transports.model import Call, Listener, Wanted
from mcp_platform.net.transports.offers import LIST_CHANGES
from mcp_platform.net.transports.subscription import METHOD, ModernEar, Subscription, request
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_LOST, UPSTREAM_REFUSED, UPSTREAM_TOO_LARGE
from mcp_platform.wire.sse import EventTooLarge, SseParser

_log = Log(__name__)


class HttpSubscriptions:
    """The listen requests of one link."""

    def __init__(self, endpoint: Endpoint, lines: bytes, announced: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._lines = lines
        """What 2026-07-28 wants in the head of a listen request."""
        self._announced = announced
        self._reading: dict[asyncio.Task[None], Subscription] = {}

    async def attend(
        self, owner: str | None, capabilities: bytes, client_info: bytes | None, wanted: Wanted, listener: Listener
    ) -> ModernEar:
        """Raises Fault(upstream_*)."""

        async def send(subscription: Subscription, wanted: Wanted) -> None:
            await self._send(subscription, request(owner, capabilities, client_info, wanted))

        ear = ModernEar(send, listener)
        await ear.want(wanted)
        return ear

    async def _send(self, subscription: Subscription, call: Call) -> None:
        endpoint = self._endpoint
        identity = subscription.identity = endpoint.next_id()
        head = await endpoint.head(call.owner, self._lines)
        endpoint.take_standing()
        try:
            exchange = await endpoint.open()
        except BaseException:
            endpoint.give_standing()
            raise
        exchange.send(head, messages.modern_request(identity, call))
        name = f"{METHOD} {endpoint.target.id}"
        reading = self._read(exchange, subscription, call.owner)
        task = asyncio.get_running_loop().create_task(reading, name=name)
        subscription.release = task.cancel
        self._reading[task] = subscription
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._endpoint.give_standing()
        subscription = self._reading.pop(task)
        if task.cancelled():
            subscription.end(None)

    async def _read(self, exchange: Exchange, subscription: Subscription, owner: str | None) -> None:
        """A task root; ends with the stream, or when it is released: a closed connection ends the request."""
        try:
            await self._follow(exchange, subscription)
        except Fault as fault:
            if fault.kind is UPSTREAM_REFUSED:
                self._endpoint.refused(owner)
            subscription.end(fault)
        except Exception as error:
            _log.error("listening_failed", exc=error, upstream=self._endpoint.target.id)
            subscription.end(Fault(INTERNAL))
        finally:
            exchange.close()

    async def _follow(self, exchange: Exchange, subscription: Subscription) -> None:
        """Raises Fault(upstream_*)."""
        await exchange.head()
        if exchange.status in (401, 403):
            raise Fault(UPSTREAM_REFUSED, data={"stage": "auth", "http": exchange.status})
        if exchange.content_type == "application/json":
            message = messages.parse(await exchange.read(MAX_ERROR_BYTES))
            if message.method is not msgspec.UNSET:
                raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
            subscription.answered(messages.answer(message, era.MODERN))
            return
        if exchange.status != 200 or exchange.content_type != "text/event-stream":
            raise of_status(exchange)
        parser = SseParser(self._endpoint.settings.max_result_bytes)
        count = 0
        while piece := await exchange.next():
            try:
                events = parser.feed(piece)
            except EventTooLarge:
                raise Fault(UPSTREAM_TOO_LARGE) from None
            for event in events:
                count += 1
                if count % MESSAGES_A_TURN == 0:
                    await asyncio.sleep(0)
                if event.kind == "message" and event.data:
                    self._take(messages.parse(event.data), subscription)
        raise Fault(UPSTREAM_LOST)

    def _take(self, message: Message, subscription: Subscription) -> None:
        if message.method is msgspec.UNSET:
            if messages.number(message.identity) == subscription.identity:
                subscription.answered(messages.answer(message, era.MODERN))
        elif message.identity is None:
            method = str(message.method)
            if method in LIST_CHANGES:
                self._announced(method)
            subscription.notified(method, message.params_bytes)

    async def close(self) -> None:
        """Let go of all of them."""
        reading = list(self._reading)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
