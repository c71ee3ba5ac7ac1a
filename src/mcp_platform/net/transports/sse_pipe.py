"""HTTP+SSE (2024-11-05) as a pipe: GET opens a stream whose first event names the URL that messages are POSTed to.

That URL comes from the server, so it must be of the origin that the operator named; any other is refused.
"""

import asyncio
import re
from collections.abc import Callable
from urllib.parse import urljoin

import msgspec

from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.net.client_address import parse_url
from mcp_platform.net.client_exchange import Exchange
from mcp_platform.net.transports.http_endpoint import Endpoint
from mcp_platform.net.transports.http_reply import MESSAGES_A_TURN, of_status
from mcp_platform.net.upstream_errors import (
    UPSTREAM_BUSY,
    UPSTREAM_GARBAGE,
    UPSTREAM_LOST,
    UPSTREAM_REFUSED,
    UPSTREAM_TIMEOUT,
)
from mcp_platform.wire.sse import EventTooLarge, SseParser

MAX_POSTS = 256
"""Messages under way at once; as many as there are connections."""
POST_S = 60.0
"""Seconds a POST may stay unanswered. Some servers answer it only when the request is done, so that is no failure: the
call has a bound of its own."""
ORDER_S = 1.0
"""Seconds a message waits for those that it must not overtake."""
MAX_ENDPOINT = 2048
"""Characters of the URL that a server names; the ceiling of every URL."""
_ID = re.compile(rb'\{"jsonrpc":"2\.0","id":(\d{1,18}),"method"')
_NOTIFIES = b'{"jsonrpc":"2.0","method":'

_log = Log(__name__)


class SsePipe:
    """One connection. `open` it, then `write`; it ends by itself, or by `kill`."""

    def __init__(
        self,
        endpoint: Endpoint,
        owner: str | None,
        on_message: Callable[[bytes], None],
        on_unsent: Callable[[int, Fault], None],
        on_end: Callable[[], None],
    ) -> None:
        self._endpoint = endpoint
        self._owner = owner
        self._on_message = on_message
        self._on_unsent = on_unsent
        """Called with the id of a request that the server did not take."""
        self._on_end = on_end
        self._posts_to: asyncio.Future[Endpoint] = asyncio.get_running_loop().create_future()
        self._reading: asyncio.Task[None] | None = None
        self._posting: set[asyncio.Task[None]] = set()
        self._barrier: asyncio.Task[None] | None = None
        """The notification that what follows must not overtake."""

    async def open(self) -> None:
        """Raises Fault(upstream_*)."""
        head = await self._endpoint.head(self._owner, b"", "GET")
        self._endpoint.take_standing()
        try:
            exchange = await self._endpoint.open()
        except BaseException:
            self._endpoint.give_standing()
            raise
        exchange.send(head, b"")
        name = f"sse {self._endpoint.target.id}"
        self._reading = asyncio.get_running_loop().create_task(self._read(exchange), name=name)
        self._reading.add_done_callback(self._ended)
        await asyncio.shield(self._posts_to)

    def write(self, line: bytes) -> None:
        """Send one message; requests side by side, a notification after what came before it. Raises
        Fault(upstream_lost, upstream_busy)."""
        if self._reading is None or self._reading.done() or not self._posts_to.done():
            raise Fault(UPSTREAM_LOST)
        if len(self._posting) >= MAX_POSTS:
            raise Fault(UPSTREAM_BUSY, retry_after_s=1.0)
        notifies = line.startswith(_NOTIFIES)
        before = list(self._posting) if notifies else [self._barrier] if self._barrier is not None else []
        task = asyncio.get_running_loop().create_task(self._post(line, before))
        if notifies:
            self._barrier = task
        self._posting.add(task)
        task.add_done_callback(self._posted)

    def _posted(self, task: "asyncio.Task[None]") -> None:
        self._posting.discard(task)
        if self._barrier is task:
            self._barrier = None

    async def _post(self, line: bytes, before: "list[asyncio.Task[None]]") -> None:
        """A task root; each wait in it is bounded."""
        if before:
            await asyncio.wait(before, timeout=ORDER_S)
        named = _ID.match(line)
        try:
            endpoint = self._posts_to.result()
            head = await endpoint.head(self._owner, b"")
            status = await endpoint.tell(head, line, POST_S)
            if not 200 <= status < 300:
                raise _refusal(status)
        except Fault as fault:
            if fault.kind is UPSTREAM_TIMEOUT:
                _log.debug("sse_post_unanswered", upstream=self._endpoint.target.id)
                return
            if fault.kind is UPSTREAM_REFUSED:
                self._endpoint.refused(self._owner)
            if named is not None:
                self._on_unsent(int(named[1]), fault)
            if fault.data.get("http") == 404:
                self.kill()  # the server forgot the connection that it holds open

    def kill(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def close(self) -> None:
        """End it and wait for that."""
        self.kill()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    # What the server sends.

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._endpoint.give_standing()
        for posting in list(self._posting):
            posting.cancel()
        self._fail_opening(Fault(UPSTREAM_LOST))
        self._on_end()

    def _fail_opening(self, fault: Fault) -> None:
        if not self._posts_to.done():
            self._posts_to.set_exception(fault)
            self._posts_to.exception()  # nobody may be waiting

    async def _read(self, exchange: Exchange) -> None:
        """A task root; ends with the stream, or by `kill`."""
        try:
            await self._follow(exchange)
        except Fault as fault:
            if fault.kind is UPSTREAM_REFUSED:
                self._endpoint.refused(self._owner)
            self._fail_opening(fault)
            _log.debug("sse_broke", upstream=self._endpoint.target.id, code=fault.kind.code)
        except Exception as error:
            self._fail_opening(Fault(INTERNAL))
            _log.error("sse_failed", exc=error, upstream=self._endpoint.target.id)
        finally:
            exchange.close()

    async def _follow(self, exchange: Exchange) -> None:
        """Raises Fault(upstream_*)."""
        await exchange.head()
        if exchange.status in (401, 403):
            raise Fault(UPSTREAM_REFUSED, data={"stage": "auth", "http": exchange.status})
        if exchange.status != 200 or exchange.content_type != "text/event-stream":
            raise of_status(exchange)
        parser = SseParser(self._endpoint.settings.max_result_bytes)
        count = 0
        while piece := await exchange.next():
            try:
                events = parser.feed(piece)
            except EventTooLarge:
                # Its end cannot be found any more, so whatever waits is lost with it.
                raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"}) from None
            for event in events:
                count += 1
                if count % MESSAGES_A_TURN == 0:
                    await asyncio.sleep(0)
                if event.kind == "endpoint":
                    self._found_endpoint(event.data)
                elif event.kind == "message" and event.data and self._posts_to.done():
                    self._on_message(event.data)

    def _found_endpoint(self, data: bytes) -> None:
        """Raises Fault(upstream_garbage)."""
        if self._posts_to.done():
            raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
        base = self._endpoint.target.url
        assert base is not None, "an HTTP upstream has a URL"
        try:
            url = urljoin(base, data.decode("ascii")[: MAX_ENDPOINT + 1])
            same = parse_url(url).origin == parse_url(base).origin
        except (Fault, ValueError):
            same = False
        if not same:
            text = "The MCP server behind this tool names another origin than its own to send messages to."
            raise Fault(UPSTREAM_GARBAGE, text, {"stage": "mcp"})
        self._posts_to.set_result(self._endpoint.at(msgspec.structs.replace(self._endpoint.target, url=url)))


def _refusal(status: int) -> Fault:
    data: dict[str, object] = {"stage": "http", "http": status}
    if status in (401, 403):
        return Fault(UPSTREAM_REFUSED, data={**data, "stage": "auth"})
    if status == 404:
        return Fault(UPSTREAM_LOST, data=data)
    return Fault(UPSTREAM_GARBAGE, f"The MCP server behind this tool answered HTTP {status} to a message.", data)
