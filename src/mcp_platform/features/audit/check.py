"""The hash that binds audit rows into a chain. Pure."""

import hashlib

import msgspec

FIRST = bytes(32)
"""What stands as previous hash in the first row."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One row of the audit log less its hash, in the order that is hashed."""

    previous: bytes
    seq: int
    time: float
    actor: str
    tag: str
    target: str | None
    outcome: str
    error: str | None
    params: str
    revision: int


_DOMAIN = b"mcp-platform audit row v1\x00"


def entry_hash(entry: Entry) -> bytes:
    """SHA-256 over the domain and the entry as a MessagePack array: each field has its length, so none runs into
    the next."""
    return hashlib.sha256(_DOMAIN + msgspec.msgpack.encode(entry)).digest()
