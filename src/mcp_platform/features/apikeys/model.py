"""API keys as a worker knows them: never the key, only its MAC."""

import hashlib

import msgspec


class KeyRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One usable or once usable key."""

    id: str
    """The 12 characters after the prefix; not secret."""
    mac: bytes
    """32 bytes: keyed BLAKE2b over the whole key."""
    principal: str
    """Principal id."""
    agent: str
    """Name of the agent that holds this key: verified by the key itself."""
    not_after: float | None
    """Epoch seconds; None means no expiry."""
    scopes: tuple[str, ...] | None
    """Tool patterns that narrow what the principal's roles allow; None narrows nothing."""


def shard_of(key_id: str) -> int:
    """Where a key stands among the shards: 32 bits, the same in SQL and in every worker."""
    return int.from_bytes(hashlib.blake2b(key_id.encode(), digest_size=4).digest())
