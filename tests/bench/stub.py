"""An MCP server that costs next to nothing, so that what is measured is what stands in front of it.

It speaks the modern dialect with one tool and answers every call with the same 300-odd bytes. It checks nothing.
"""

import asyncio
import json
import socket
import sys

import httptools
import uvloop

TOOL = {
    "name": "lookup",
    "description": "Look a record up.",
    "inputSchema": {
        "type": "object",
        "properties": {"record": {"type": "string", "maxLength": 64}, "fields": {"type": "array", "maxItems": 8}},
        "required": ["record"],
    },
}
RESULTS = {
    "server/discover": {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": {"tools": {}},
        "ttlMs": 0,
        "cacheScope": "private",
    },
    "tools/list": {"resultType": "complete", "tools": [TOOL], "ttlMs": 0, "cacheScope": "private"},
    "tools/call": {"resultType": "complete", "content": [{"type": "text", "text": "x" * 200}], "isError": False},
}


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
        answer = {"jsonrpc": "2.0", "id": message.get("id"), "result": RESULTS.get(message["method"], {})}
        text = json.dumps(answer, separators=(",", ":")).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text)
        self.transport.write(head + text)


async def serve(listening: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, sock=listening)
    print(listening.getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    sys.exit(uvloop.run(serve(socket.create_server(("127.0.0.1", 0)))))
