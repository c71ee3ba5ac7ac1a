"""Ids that carry their own state: sealed, so that a client can neither read, change nor make one.

AES-GCM-SIV (RFC 8452) under a key of its own for each purpose: a repeated nonce, should it ever happen over all
workers, would tell only that two plaintexts were equal.
"""

import base64
import binascii
import os
from typing import Generic, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAX_SEALED_CHARACTERS = 16384
"""Characters of an id that we try to open. The largest we make holds 8 KiB of client account."""
_NONCE_BYTES = 12
T = TypeVar("T")


class Seal(Generic[T]):
    """Seals values of one type for one purpose."""

    def __init__(self, secret: bytes, purpose: str, kind: type[T]) -> None:
        """`secret`: 32 bytes that all workers share."""
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"mcp-platform " + purpose.encode()).derive(secret)
        self._cipher = AESGCMSIV(key)
        self._purpose = purpose.encode()
        self._decoder = msgspec.msgpack.Decoder(kind)

    def seal(self, value: T) -> str:
        """URL-safe text without padding."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, msgspec.msgpack.encode(value), self._purpose)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, text: str) -> T | None:
        """The value, or None where `text` is not one of ours."""
        if len(text) > MAX_SEALED_CHARACTERS:
            return None
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._purpose)
            return self._decoder.decode(plain)
        except (binascii.Error, InvalidTag, ValueError, msgspec.MsgspecError):
            return None
