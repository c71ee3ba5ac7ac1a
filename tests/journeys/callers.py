"""Clients that call a tool over and over on kept-alive connections, in both eras, and go on whatever happens."""

import asyncio
import itertools
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httptools

from tests.journeys.platform import LEGACY, modern_request

PATIENCE_S = 10.0
"""Seconds that one call may take."""
PAUSE_S = 0.02
"""Seconds between a failure and the next try."""


class Answered:
    """One HTTP answer as httptools reads it."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True

    def message(self) -> dict[str, Any]:
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            return json.loads([line[5:] for line in self.body.split(b"\n") if line.startswith(b"data:")][-1])
        return json.loads(self.body) if self.body else {}


@dataclass(slots=True)
class Tally:
    """What came of all calls."""

    outcomes: Counter[str] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    """The texts that came back."""
    wrong: list[str] = field(default_factory=list)
    """Answers that were for somebody else."""
    last_ok: dict[int, float] = field(default_factory=dict)
    """Monotonic time of each caller's last success."""


class Caller:
    """One connection at a time to the platform, with one call at a time."""

    def __init__(self, number: int, port: int, key: str, tally: Tally) -> None:
        self.number = number
        self.port = port
        self.key = key
        self.tally = tally
        self.legacy = number % 2 == 1
        self.session: str | None = None
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call_for_ever(self) -> None:
        for count in itertools.count():
            try:
                # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with the answer.
                async with asyncio.timeout(PATIENCE_S):
                    outcome = await self.call(f"{self.number}-{count}")
            except (OSError, asyncio.IncompleteReadError, httptools.HttpParserError):
                outcome = "broken"
            except TimeoutError:
                outcome = "silent"
            self.tally.outcomes[outcome] += 1
            if outcome == "ok":
                self.tally.last_ok[self.number] = time.monotonic()
            else:
                self.hang_up()
                await asyncio.sleep(PAUSE_S)

    async def call(self, text: str) -> str:
        params = {"name": "echo", "arguments": {"text": text}}
        if self.legacy:
            if self.session is None:
                await self.initialize()
            status, answered = await self.legacy_request("tools/call", params)
            if status == 404:
                self.session = None
        else:
            body, headers = modern_request("tools/call", params, self.key)
            status, answered = await self.exchange(body, headers)
        message = answered.message()
        if status != 200 or "result" not in message:
            return f"refused {status} {message.get('error', {}).get('code')}"
        if message["result"].get("isError"):
            return "tool error"
        if message["result"]["content"][0]["text"] != text:
            self.tally.wrong.append(text)
        self.tally.answered.add(text)
        return "ok"

    async def initialize(self) -> None:
        info = {"name": "caller", "version": "1"}
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": info}
        _, answered = await self.legacy_request("initialize", params)
        self.session = answered.headers.get("mcp-session-id")
        await self.legacy_request("notifications/initialized", None)

    async def legacy_request(self, method: str, params: dict[str, Any] | None) -> tuple[int, Answered]:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message |= {"id": 1, "params": params}
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {self.key}",
        }
        if method != "initialize":
            headers["MCP-Protocol-Version"] = LEGACY
        if self.session is not None:
            headers["Mcp-Session-Id"] = self.session
        return await self.exchange(json.dumps(message).encode(), headers)

    async def exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, Answered]:
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        writer.write(head.encode() + body)
        answered = Answered()
        parser = httptools.HttpResponseParser(answered)
        while not answered.complete:
            data = await reader.read(65536)
            if not data:
                raise asyncio.IncompleteReadError(b"", None)
            parser.feed_data(data)
        if not parser.should_keep_alive():
            self.hang_up()
        return parser.get_status_code(), answered

    def hang_up(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


class Callers(threading.Thread):
    """A number of callers in a thread of their own, until `end`."""

    def __init__(self, count: int, port: int, key: str) -> None:
        super().__init__(daemon=True)
        self.tally = Tally()
        self._count = count
        self._port = port
        self._key = key
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._began = threading.Event()

    def run(self) -> None:
        asyncio.run(self._call())

    async def _call(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._began.set()
        callers = [Caller(number, self._port, self._key, self.tally) for number in range(self._count)]
        tasks = [asyncio.create_task(caller.call_for_ever()) for caller in callers]
        await self._ended.wait()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for caller in callers:
            caller.hang_up()
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    def begin(self) -> "Callers":
        self.start()
        self._began.wait(5)
        return self

    def end(self) -> None:
        assert self._loop is not None
        assert self._ended is not None
        self._loop.call_soon_threadsafe(self._ended.set)
        self.join(30)
        assert not self.is_alive(), "callers that go on would change what is being compared"

    def all_called_since(self, moment: float) -> bool:
        """Whether every caller had a success after `moment`."""
        times = [self.tally.last_ok.get(number, 0.0) for number in range(self._count)]
        return min(times) > moment
