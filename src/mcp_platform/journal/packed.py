"""Closed segments, compressed: plain gzip (RFC 1952), so `zcat` reads them, with one thing more.

gzip leaves bits that nobody checks (header fields, the last bits of the stream, bytes after the end). So the header is
always the same but for its comment, which holds the BLAKE2b-256 of everything after the header, in hex.
"""

import gzip
import hashlib
import os
import struct
import zlib
from pathlib import Path
from typing import Final

from mcp_platform.base.folder import sync_folder

CHUNK_BYTES: Final = 256 * 1024
LEVEL: Final = 6
_FLAG_COMMENT: Final = 0x10
_START: Final = b"\x1f\x8b\x08" + bytes([_FLAG_COMMENT]) + bytes(4) + b"\x00\xff"
"""Magic, deflate, flags, no time, no extra flags, unknown system."""
HEADER_BYTES: Final = len(_START) + 64 + 1


def pack(plain: Path, packed: Path) -> None:
    """Write the compressed file durably beside the plain one, check that it reads back the same, remove the plain one.

    Raises OSError; then the plain file stands.
    """
    aside = packed.with_name(f".{packed.name}.part")
    with plain.open("rb") as source, aside.open("wb") as target:
        os.fchmod(target.fileno(), 0o600)
        target.write(bytes(HEADER_BYTES))
        digest = hashlib.blake2b(digest_size=32)
        squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
        crc, size = 0, 0
        while chunk := source.read(CHUNK_BYTES):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
            _put(squeeze.compress(chunk), target.write, digest.update)
        _put(squeeze.flush() + struct.pack("<II", crc, size & 0xFFFFFFFF), target.write, digest.update)
        target.seek(0)
        target.write(_START + digest.hexdigest().encode() + b"\x00")
        target.flush()
        os.fsync(target.fileno())
        times = os.fstat(source.fileno())
    os.utime(aside, ns=(times.st_atime_ns, times.st_mtime_ns))
    if not _same(plain, aside):
        aside.unlink()
        raise OSError("a compressed segment did not read back as it was")
    aside.rename(packed)
    sync_folder(packed.parent)
    plain.unlink()
    sync_folder(packed.parent)


def _put(data: bytes, *takers: object) -> None:
    for take in takers:
        take(data)  # type: ignore[operator]  # write and update both take bytes


def _same(plain: Path, packed: Path) -> bool:
    with plain.open("rb") as one, gzip.open(packed, "rb") as other:
        while chunk := one.read(CHUNK_BYTES):
            if other.read(len(chunk)) != chunk:
                return False
        return other.read(1) == b""


def is_whole(packed: Path) -> bool:
    """True where not one bit of the file differs from what `pack` wrote."""
    with packed.open("rb") as file:
        header = file.read(HEADER_BYTES)
        digest = hashlib.blake2b(digest_size=32)
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return header == _START + digest.hexdigest().encode() + b"\x00"
