"""The REST API's door on the console's listener: who asks is judged here, before the application sees anything.

The application is imported after control serves, in a thread: it takes half a second that a start must not wait for.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.control.asgi import AsgiApp, Lifespan, serve
from mcp_platform.control.execute import Executor
from mcp_platform.control.rest.bearer import Bearers
from mcp_platform.control.rest.errors import API_STARTING
from mcp_platform.control.rest.tries import FailedTries
from mcp_platform.net.server import Exchange

MAX_BODY_BYTES = 1024 * 1024
"""Bytes of a request, as at the CLI's door: a server with 50 headers of 16 KiB fits."""
PATIENCE_S = 10.0
"""Seconds that a request waits for the application at a start."""
_log = Log("control.rest")


class RestDoor:
    """`open` it when control serves; `close` it before the executor."""

    def __init__(self, executor: Executor, data_key: bytes, load: Callable[[], AsgiApp]) -> None:
        """`load` imports and makes the application; it is called in a thread."""
        self.tries = FailedTries(executor.audit)
        self._bearers = Bearers(executor, data_key, self.tries)
        self._load = load
        self._app: asyncio.Future[AsgiApp] = asyncio.get_running_loop().create_future()
        self._lifespan: Lifespan | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._start(), name="rest-start"),
            loop.create_task(self.tries.run(), name="rest-tries"),
        ]

    async def _start(self) -> None:
        try:
            app = await asyncio.to_thread(self._load)
            self._lifespan = Lifespan(app)
            await self._lifespan.start()
        except Exception as error:  # the root of the start: control goes on without the API, and says so
            _log.error("rest_failed_to_start", exc=error)
            return
        self._app.set_result(app)
        _log.info("rest_ready")

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._lifespan is not None:
            await self._lifespan.end()

    def status(self) -> dict[str, object]:
        """For `doctor`."""
        return {"ready": self._app.done(), "failed_tries": self.tries.total}

    def early(self, headers: dict[str, str], address: str) -> Fault | None:
        """Judge a request at the end of its headers."""
        return self._bearers.early(headers, address)

    async def handle(self, exchange: Exchange) -> None:
        """Raises Fault. The actions bound their own time."""
        actor = await self._bearers.actor(exchange.headers, exchange.address)
        state: dict[str, Any] = {"actor": actor}
        await serve(await self._ready(), exchange, state)

    async def _ready(self) -> AsgiApp:
        if self._app.done():
            return self._app.result()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.shield(self._app)
        except TimeoutError:
            raise Fault(API_STARTING, retry_after_s=1.0) from None
