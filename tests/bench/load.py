"""Sends the same request over and over on some connections, and says how many were answered as they should be.

Arguments: port, requests, connections; stdin: the request as it goes over the wire. Stdout: one JSON object.
"""

import asyncio
import json
import sys
import time

import httptools
import uvloop

refusals: list[str] = []


class Sender(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, request: bytes, left: list[int], tally: dict[int, int]) -> None:
        self.request = request
        self.left = left
        self.tally = tally
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.next()

    def next(self) -> None:
        if self.left[0] == 0:
            self.transport.close()
            return
        self.left[0] -= 1
        self.parser = httptools.HttpResponseParser(self)
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if self.parser.get_status_code() != 200:
            refusals.append(body.decode(errors="replace"))

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        self.tally[status] = self.tally.get(status, 0) + 1
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        self.done.set_result(None)


async def load(port: int, requests: int, connections: int, request: bytes) -> dict[str, object]:
    left = [requests]
    tally: dict[int, int] = {}
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    senders = []
    for _ in range(connections):
        _, sender = await loop.create_connection(lambda: Sender(request, left, tally), "127.0.0.1", port)
        senders.append(sender)
    await asyncio.wait_for(asyncio.gather(*(sender.done for sender in senders)), 120)
    return {"seconds": time.perf_counter() - began, "statuses": tally, "refusal": refusals[:1]}


if __name__ == "__main__":
    port, requests, connections = (int(word) for word in sys.argv[1:])
    print(json.dumps(uvloop.run(load(port, requests, connections, sys.stdin.buffer.read()))))
