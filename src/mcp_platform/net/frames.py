"""Messages between our own processes over a Unix socket: a 4-byte big-endian length, then one msgpack value.

Both ends are ours, yet the length has a ceiling and the peer's user id is checked: a stdio server runs as the same
machine's user and may knock here.
"""

import asyncio
import socket
import struct
from typing import Generic, TypeVar

import msgspec

from mcp_platform.base.errors import Fault, define

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""Bytes. Four times the largest result we relay (16 MiB), so that no legal message meets it."""

_LENGTH = struct.Struct(">I")
T = TypeVar("T")

LINK_CLOSED = define(
    "link_closed",
    http=503,
    jsonrpc=-31575,
    text="A part of the platform is restarting; try again shortly.",
    whose="platform",
)


def peer_uid(sock: socket.socket) -> int:
    """The user id of the process at the other end of a Unix socket, as the kernel knows it (SO_PEERCRED)."""
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)


class FrameStream(Generic[T]):
    """One framed connection. `send` never blocks; `drain` waits while the other side is slow."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, receives: object) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = msgspec.msgpack.Decoder(receives)
        self._encoder = msgspec.msgpack.Encoder()

    def send(self, message: object) -> None:
        body = self._encoder.encode(message)
        assert len(body) <= MAX_FRAME_BYTES, "every message we make is under the ceiling"
        self._writer.write(_LENGTH.pack(len(body)) + body)

    async def drain(self) -> None:
        await self._writer.drain()

    async def receive(self) -> T:
        """The next message. Raises Fault(link_closed) at the end or when the bytes are not a message."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(4))
            if length > MAX_FRAME_BYTES:
                raise Fault(LINK_CLOSED)
            return self._decoder.decode(await self._reader.readexactly(length))  # type: ignore[no-any-return]  # typed by `receives`
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.MsgspecError) as error:
            raise Fault(LINK_CLOSED) from error

    @property
    def waiting_bytes(self) -> int:
        """Bytes sent that the other side has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    def close(self) -> None:
        self._writer.close()

    @property
    def closing(self) -> bool:
        return self._writer.is_closing()

    @property
    def unsent_bytes(self) -> int:
        """What the other side has not taken yet."""
        return self._writer.transport.get_write_buffer_size()
