"""How records stand in a file and are bound to each other. Pure.

A segment file is 8 bytes of magic, then frames: length (4 bytes, big-endian) · body · chain hash (32 bytes), where
hash = BLAKE2b-256(DOMAIN · hash of the frame before · length · body), and the first frame follows 32 zero bytes.
A length of zero is the end of what has been written: files are filled with zeros ahead of the writer.
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from mcp_platform.journal.record import FORMAT

MAGIC: Final = b"MCPJRNL" + bytes([FORMAT])
DOMAIN: Final = b"mcp-platform journal v1\x00"
FIRST: Final = bytes(32)
HASH_BYTES: Final = 32
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""Bytes. Content is cut off at 1 MiB (content.py), control's parameters at 8 KiB; the longest record is the header of
a segment that begins while 100,000 calls are open."""

LENGTH = struct.Struct(">I")
OVERHEAD_BYTES: Final = LENGTH.size + HASH_BYTES
_blake2b = hashlib.blake2b


def frame(previous: bytes, body: bytes) -> tuple[bytes, bytes]:
    """The frame of `body` after a frame whose hash is `previous`, and its own hash."""
    assert 0 < len(body) <= MAX_BODY_BYTES, "every record we make is under the ceiling"
    framed = LENGTH.pack(len(body)) + body
    digest = _blake2b(DOMAIN + previous + framed, digest_size=HASH_BYTES).digest()
    return framed + digest, digest


def chain_hash(previous: bytes, body: bytes) -> bytes:
    return _blake2b(DOMAIN + previous + LENGTH.pack(len(body)) + body, digest_size=HASH_BYTES).digest()


class Frame(NamedTuple):
    """One frame as it stands in a file."""

    body: bytes
    hash: bytes
    """As stored; it proves nothing before it was compared."""
    end: int
    """Where the next frame begins."""


def frame_at(data: bytes | memoryview, at: int) -> Frame | None:
    """The frame that begins at `at`, unchecked; None where no whole one stands there."""
    if at + LENGTH.size > len(data):
        return None
    (length,) = LENGTH.unpack_from(data, at)
    end = at + OVERHEAD_BYTES + length
    if not 0 < length <= MAX_BODY_BYTES or end > len(data):
        return None
    body_end = end - HASH_BYTES
    return Frame(bytes(data[at + LENGTH.size : body_end]), bytes(data[body_end:end]), end)


def follow(previous: bytes, data: bytes, at: int) -> Iterator[Frame]:
    """The frames from `at` on that are whole and follow each other, the first of them one whose hash is `previous`."""
    last = len(data) - OVERHEAD_BYTES
    while at <= last:
        (length,) = LENGTH.unpack_from(data, at)
        body_end = at + LENGTH.size + length
        end = body_end + HASH_BYTES
        if not 0 < length <= MAX_BODY_BYTES or end > len(data):
            return
        digest = _blake2b(DOMAIN + previous + data[at:body_end], digest_size=HASH_BYTES).digest()
        if digest != data[body_end:end]:
            return
        yield Frame(data[at + LENGTH.size : body_end], digest, end)
        at, previous = end, digest
