"""The standing stream of one legacy session: GET, on which a server says what belongs to no call's own stream.

A server may offer none (405). One that breaks is read on from the last event that had an id; where there was none,
whoever listens is told that something may have been missed.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.net.client_exchange import Exchange
from mcp_platform.net.transports import messages
from mcp_platform.net.transports.http_endpoint import Endpoint
from mcp_platform.net.transports.http_reply import MESSAGES_A_TURN
from mcp_platform.net.transports.http_resume import retry_s
from mcp_platform.net.transports.messages import Message
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_LOST, UPSTREAM_REFUSED, UPSTREAM_TIMEOUT
from mcp_platform.wire.sse import EventTooLarge, SseParser

HEAD_S = 10.0
"""Seconds until a server has said whether it offers a stream."""
MAX_FAILURES = 2
"""Times in a row that a stream cannot be opened again before its session is given up."""
MAX_WAIT_S = 30.0
BARREN_S = 1.0
"""Seconds a stream must stand, or bring something, for the next to be opened without further waiting."""
MAX_GARBAGE = 100
"""Events in a row that are no messages, before a stream is given up."""
_TROUBLE = frozenset({429, 500, 502, 503, 504})

_log = Log(__name__)


class _NotOffered(Exception):
    """The server has no such stream."""


class StandingStream:
    """One task, from `start` to `close` or to the end of the session."""

    def __init__(
        self,
        endpoint: Endpoint,
        head: Callable[[str | None], Awaitable[bytes]],
        take: Callable[[Message], None],
        missed: Callable[[], None],
        gone: Callable[[Fault], None],
        *,
        batches: bool,
    ) -> None:
        self._endpoint = endpoint
        self._head = head
        self._take = take
        self._missed = missed
        self._gone = gone
        self._batches = batches
        self.status = 0
        """What the server said to GET the last time."""
        self._last_id: str | None = None
        self._retry_ms: int | None = None
        self._garbage = 0
        self._offered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Raises Fault(upstream_busy)."""
        self._endpoint.take_standing()
        name = f"stream {self._endpoint.target.id}"
        self._task = asyncio.get_running_loop().create_task(self._run(), name=name)
        self._task.add_done_callback(lambda _: self._endpoint.give_standing())

    async def offered(self) -> bool:
        """Whether the server offers the stream. Raises Fault(upstream_*)."""
        return await asyncio.shield(self._offered)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._settle(Fault(UPSTREAM_LOST))

    async def _run(self) -> None:
        """A task root."""
        try:
            await self._stand()
        except _NotOffered:
            self._settle(offered=False)
        except Fault as fault:
            if self._offered.done():
                self._gone(fault)
            self._settle(fault)
        except Exception as error:
            _log.error("standing_stream_failed", exc=error, upstream=self._endpoint.target.id)
            self._settle(Fault(INTERNAL))
            self._gone(Fault(INTERNAL))  # whoever listened is to try again

    async def _stand(self) -> None:
        """Raises Fault(upstream_*) where the session is to be given up, _NotOffered."""
        failures = barren = 0
        while True:
            opened_at = clock.monotonic()
            try:
                brought = await self._read()
                failures = 0
                barren = 0 if brought or clock.monotonic() - opened_at > BARREN_S else min(barren + 1, 5)
            except Fault as fault:
                failures += 1
                forgotten = fault.data.get("http") == 404
                if not self._offered.done() or forgotten or failures > MAX_FAILURES:
                    raise
            await asyncio.sleep(min(MAX_WAIT_S, retry_s(self._retry_ms) * 2 ** (failures + barren)))

    async def _read(self) -> bool:
        """One stream, from its opening to its end; whether it brought anything.

        Raises Fault(upstream_*) where it could not be opened.
        """
        exchange = await self._endpoint.open()
        try:
            exchange.send(await self._head(self._last_id), b"")
            await self._open(exchange)
            if self._offered.done() and self._last_id is None:
                self._missed()
            self._settle(offered=True)
            return await self._listen(exchange)
        finally:
            exchange.close()

    async def _open(self, exchange: Exchange) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                await exchange.head()
        except TimeoutError:
            raise Fault(UPSTREAM_TIMEOUT, data={"stage": "http"}) from None
        status = self.status = exchange.status
        if status == 200 and exchange.content_type == "text/event-stream":
            return
        data: dict[str, object] = {"stage": "http", "http": status}
        if status in (401, 403):
            raise Fault(UPSTREAM_REFUSED, data={**data, "stage": "auth"})
        if status in _TROUBLE or self._offered.done():
            # Once offered, it is forgotten, or held by a connection that the server still believes alive.
            raise Fault(UPSTREAM_GARBAGE, data=data)
        raise _NotOffered

    async def _listen(self, exchange: Exchange) -> bool:
        """Until the stream ends, in order or not."""
        parser = SseParser(self._endpoint.settings.max_result_bytes)
        count = 0
        try:
            while piece := await exchange.next():
                for event in parser.feed(piece):
                    count += 1
                    if count % MESSAGES_A_TURN == 0:
                        await asyncio.sleep(0)
                    if event.kind == "message" and event.data:
                        self._event(event.data)
        except EventTooLarge:
            _log.warning("standing_stream_event_too_large", upstream=self._endpoint.target.id)
        except Fault as fault:
            _log.debug("standing_stream_broke", upstream=self._endpoint.target.id, code=fault.kind.code)
        finally:
            self._last_id = parser.last_id or self._last_id
            self._retry_ms = self._retry_ms if parser.retry_ms is None else parser.retry_ms
        return count > 0

    def _event(self, data: bytes) -> None:
        try:
            for message in messages.parse_all(data) if self._batches else (messages.parse(data),):
                # Answers belong on the streams of their requests; old servers put late ones here.
                if message.method is not msgspec.UNSET:
                    self._take(message)
            self._garbage = 0
        except Fault:
            self._garbage += 1
            if self._garbage >= MAX_GARBAGE:
                raise

    def _settle(self, fault: Fault | None = None, *, offered: bool = False) -> None:
        if self._offered.done():
            return
        if fault is None:
            self._offered.set_result(offered)
        else:
            self._offered.set_exception(fault)
            self._offered.exception()  # nobody may be waiting
