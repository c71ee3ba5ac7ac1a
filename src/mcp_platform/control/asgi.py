"""An ASGI application on our own HTTP server, so that its limits, header lines and time-outs hold for it, too.

One request at a time a connection; an answer in one part goes out in one write, one in parts is streamed with
back-pressure. What the server decides (length, framing, date, connection) is not taken from the application.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.log import Log
from mcp_platform.net import errors
from mcp_platform.net.server import Exchange

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

LIFESPAN_S = 10.0
"""Seconds for an application to start or to end: it has nothing to wait for."""
_OURS = frozenset({b"connection", b"content-length", b"content-type", b"date", b"transfer-encoding"})
_NAMES = {b"etag": b"ETag", b"www-authenticate": b"WWW-Authenticate"}
_log = Log("control.asgi")


async def serve(app: AsgiApp, exchange: Exchange, state: dict[str, Any]) -> None:
    """Answer one request with `app`; `state` is what it finds as `scope["state"]`. Raises Fault(http_target_invalid)
    where the path is not UTF-8, and whatever the application raises before it answers."""
    call = _Call(exchange)
    await app(_scope(exchange, state), call.receive, call.send)
    if not exchange.finished and not exchange.gone:
        _log.error("asgi_unfinished", path=exchange.path)
        if not exchange.started:
            raise Fault(INTERNAL)


def _scope(exchange: Exchange, state: dict[str, Any]) -> Message:
    try:
        path = unquote_to_bytes(exchange.path).decode()
    except UnicodeDecodeError:
        raise Fault(errors.HTTP_TARGET) from None
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.0" if exchange.old else "1.1",
        "method": exchange.method,
        "scheme": "http",
        "path": path,
        "raw_path": exchange.path.encode(),
        "query_string": exchange.query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in exchange.headers.items()],
        "client": (exchange.address, 0) if exchange.address else None,
        "server": None,
        "state": state,
    }


class _Call:
    """One request as the application reads and answers it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._read = False
        self._gone = asyncio.Event()
        self._head: tuple[int, str, bytes] | None = None
        exchange.on_gone(self._gone.set)

    async def receive(self) -> Message:
        """The whole body at once (it was read before the application was asked); then the end of the client."""
        if not self._read:
            self._read = True
            return {"type": "http.request", "body": self._exchange.body, "more_body": False}
        if not self._exchange.finished:
            await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        exchange = self._exchange
        if message["type"] == "http.response.start":
            assert self._head is None, "an answer starts once"
            self._head = (message["status"], *_split(message.get("headers", ())))
            return
        assert message["type"] == "http.response.body", "no extension is offered"
        assert self._head is not None, "the body follows the start"
        status, content_type, lines = self._head
        body, more = message.get("body", b""), message.get("more_body", False)
        if not exchange.started and not more:
            exchange.reply(status, body, content_type, lines)
            return
        if not exchange.started:
            exchange.start(status, content_type, lines)
        exchange.write(body)
        if more:
            await exchange.drain()
        else:
            exchange.end()


def _split(headers: Any) -> tuple[str, bytes]:  # noqa: ANN401  # pairs of bytes, as ASGI has them
    """Content type, and the other lines. Raises ValueError where one would break the head."""
    content_type, lines = "", b""
    for name, value in headers:
        if b"\r" in name + value or b"\n" in name + value or b"\0" in name + value:
            raise ValueError("a header line with a line break")
        if name.lower() == b"content-type":
            content_type = value.decode("ascii")
        elif name.lower() not in _OURS:
            lines += b"%b: %b\r\n" % (_NAMES.get(name, name.title()), value)
    return content_type, lines


class Lifespan:
    """Starts and ends an application, once each."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._to_app: asyncio.Queue[str] = asyncio.Queue(maxsize=2)
        self._said: asyncio.Queue[Message] = asyncio.Queue(maxsize=4)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises RuntimeError where it does not start, TimeoutError where it does not say."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="asgi-lifespan")
        await self._ask("startup")

    async def end(self) -> None:
        if self._task is None:
            return
        try:
            await self._ask("shutdown")
        except (RuntimeError, TimeoutError) as error:
            _log.error("asgi_shutdown_failed", exc=error)
        finally:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task], timeout=1.0)

    async def _run(self) -> None:
        try:
            await self._app(
                {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._receive, self._said.put
            )
        except Exception as error:  # the root of the application's life: logged, and told to whoever waits
            _log.error("asgi_lifespan_failed", exc=error)
            self._said.put_nowait({"type": "failed"})

    async def _receive(self) -> Message:
        return {"type": f"lifespan.{await self._to_app.get()}"}

    async def _ask(self, what: str) -> None:
        self._to_app.put_nowait(what)
        async with asyncio.timeout(LIFESPAN_S):
            said = await self._said.get()
        if said["type"] != f"lifespan.{what}.complete":
            raise RuntimeError(f"the application's {what} failed")
