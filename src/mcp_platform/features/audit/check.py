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
    agent: str | None = None
    address: str | None = None


_DOMAIN = b"mcp-platform audit row v1\x00"
_WITH_PLACE = b"mcp-platform audit row v2\x00"
_PLACED = 2
"""Fields at the end that rows of version 1 did not have."""


def entry_hash(entry: Entry) -> bytes:
    """SHA-256 over the domain and the entry as a MessagePack array: each field has its length, so none runs into
    the next. A row that names neither agent nor address has the form of version 1."""
    fields = msgspec.structs.astuple(entry)
    if entry.agent is None and entry.address is None:
        return hashlib.sha256(_DOMAIN + msgspec.msgpack.encode(fields[:-_PLACED])).digest()
    return hashlib.sha256(_WITH_PLACE + msgspec.msgpack.encode(fields)).digest()
