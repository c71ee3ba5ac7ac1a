"""An MCP server that costs next to nothing, so that what is measured is what stands in front of it.

For machines without a C compiler: stub.c is the same and ten times as fast. It speaks 2026-07-28 and checks nothing.
Arguments: a file with the JSON array of its tools; seconds before a call is answered (0). It prints its port.
"""

import asyncio
import json
import socket
import sys
from pathlib import Path

import httptools
import uvloop

WAIT_S = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
TOOLS = json.loads(Path(sys.argv[1]).read_text())
RESULTS = {
    "server/discover": {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": {"tools": {}},
        "ttlMs": 0,
        "cacheScope": "private",
    },
    "tools/list": {"resultType": "complete", "tools": TOOLS, "ttlMs": 0, "cacheScope": "private"},
}


def called(size: int) -> dict[str, object]:
    return {"resultType": "complete", "content": [{"type": "text", "text": "x" * size}], "isError": False}


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        message = json.loads(self.body)
        self.body = b""
        arguments = message.get("params", {}).get("arguments", {})
        result = RESULTS.get(message["method"]) or called(arguments.get("bytes", 200))
        text = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}, separators=(",", ":")).encode()
        kind = b"application/json"
        if arguments.get("stream"):
            kind, text = b"text/event-stream", b"event: message\ndata: %b\n\n" % text
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, len(text))
        if WAIT_S and message["method"] == "tools/call":
            asyncio.get_running_loop().call_later(WAIT_S, self.transport.write, head + text)
        else:
            self.transport.write(head + text)


async def serve(listening: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, sock=listening)
    print(listening.getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    sys.exit(uvloop.run(serve(socket.create_server(("127.0.0.1", 0)))))
