"""Latency at a constant rate: requests are sent when they are due, whatever became of those before them.

Each is timed from the moment it was due, not from when a connection was free to send it, so a stall counts for every
request that it held up (coordinated omission). Arguments: port, rate a second, connections, seconds; stdin: requests
as `closed_loop.written` writes them. Stdout: one JSON object with percentiles in microseconds.
"""

import asyncio
import json
import sys
from collections import deque
from time import perf_counter

import httptools
import uvloop

WARM_UP_S = 0.5
"""Seconds whose requests are sent and not counted."""


class Sender(asyncio.Protocol):
    """One connection: requests that are due wait here until the one before is answered."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.due = 0.0
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, due: float, request: bytes) -> None:
        if self.due:
            self.waiting.append((due, request))
            return
        self.due = due
        self.transport.write(request)  # type: ignore[attr-defined]  # a socket's transport writes

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.load.answered(self.due, self.parser.get_status_code())
        self.parser = httptools.HttpResponseParser(self)
        self.due = 0.0
        if self.waiting:
            self.send(*self.waiting.popleft())

    def connection_lost(self, error: Exception | None) -> None:
        self.load.broken += 1


class Load:
    """All requests of one run."""

    def __init__(self, requests: list[bytes], rate: float, seconds: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.requests, self.rate, self.seconds = requests, rate, seconds
        self.taken: list[float] = []
        self.refused = self.broken = self.open = 0
        self.counts_from = 0.0

    def answered(self, due: float, status: int) -> None:
        self.open -= 1
        self.refused += status >= 300
        if due >= self.counts_from:
            self.taken.append(perf_counter() - due)

    async def run(self, port: int, connections: int) -> None:
        senders = []
        for _ in range(connections):
            _, sender = await self.loop.create_connection(lambda: Sender(self), "127.0.0.1", port)
            senders.append(sender)
        began = perf_counter()
        self.counts_from = began + WARM_UP_S
        total = int((self.seconds + WARM_UP_S) * self.rate)
        for number in range(total):
            due = began + number / self.rate
            # The loop's own clock and timers count whole milliseconds: near the moment we look at the clock ourselves.
            while (pause := due - perf_counter()) > 0:  # noqa: ASYNC110 - waits for a moment, not for an event
                await asyncio.sleep(max(0.0, pause - 0.002))
            self.open += 1
            senders[number % connections].send(due, self.requests[number % len(self.requests)])
        for _ in range(1000):
            if not self.open:
                break
            await asyncio.sleep(0.01)

    def result(self) -> dict[str, float]:
        taken = sorted(self.taken)

        def at(share: float) -> float:
            return round(taken[min(len(taken) - 1, int(len(taken) * share))] * 1e6, 1)

        counted = {"requests": len(taken), "refused": self.refused, "broken": self.broken, "unanswered": self.open}
        return {"p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999), **counted}


def read(data: bytes) -> list[bytes]:
    """The requests of a mix."""
    found = []
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        length = int(data[at:end])
        found.append(data[end + 1 : end + 1 + length])
        at = end + 1 + length
    return found


async def main() -> None:
    port, rate, connections, seconds = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    load = Load(read(sys.stdin.buffer.read()), rate, seconds)
    await load.run(port, connections)
    print(json.dumps(load.result()))


if __name__ == "__main__":
    uvloop.run(main())
