"""API keys: their form, their MAC, and whether one is good now. Pure; runs on every request.

A key is `mcpp_`, 12 characters of id, 32 of secret and 6 of checksum, all base 62. The checksum lets a scanner or a
typing error be recognised without asking us. Only the MAC of a key is ever stored.
"""

import hashlib
import hmac
import re
import zlib

from mcp_platform.base import ids
from mcp_platform.base.errors import ErrorKind
from mcp_platform.features.apikeys.errors import KEY_EXPIRED, KEY_INVALID
from mcp_platform.features.apikeys.model import KeyRow

PREFIX = "mcpp_"
ID_CHARACTERS = 12
"""Characters of base 62: 71 bits, so that ids made at random never meet."""
SECRET_CHARACTERS = 32
"""Characters of base 62: 190 bits. RFC 6749 §10.10 asks for 128, and recommends 160."""
CHECKSUM_CHARACTERS = 6
"""Characters of base 62: holds every CRC-32."""
KEY_CHARACTERS = len(PREFIX) + ID_CHARACTERS + SECRET_CHARACTERS + CHECKSUM_CHARACTERS
MAC_BYTES = 32

_FORM = re.compile(r"mcpp_([0-9A-Za-z]{12})[0-9A-Za-z]{38}", re.ASCII)
_CHECKED = KEY_CHARACTERS - CHECKSUM_CHARACTERS


def generate() -> str:
    """A new key from the system's generator."""
    body = PREFIX + ids.random_text(ID_CHARACTERS + SECRET_CHARACTERS)
    return body + checksum(body)


def checksum(body: str) -> str:
    """CRC-32 of `body` in base 62, zero-padded to 6 characters."""
    rest = zlib.crc32(body.encode())
    digits = ""
    for _ in range(CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, 62)
        digits = ids.ALPHABET[digit] + digits
    return digits


def parse(text: str) -> str | None:
    """The id of a well-formed key; None for anything else."""
    found = _FORM.fullmatch(text)
    if found is None or checksum(text[:_CHECKED]) != text[_CHECKED:]:
        return None
    return found[1]


def mac(mac_key: bytes, text: str) -> bytes:
    """Keyed BLAKE2b over the whole key; `mac_key` is the first 32 bytes of the worker secret."""
    return hashlib.blake2b(text.encode(), key=mac_key, digest_size=MAC_BYTES).digest()


def verify(row: KeyRow, sent: bytes, now: float) -> ErrorKind | None:
    """None where the key with MAC `sent` is the one of `row` and good at `now`; else what is wrong with it.

    That a key has expired is told only to one who knows its secret.
    """
    if not hmac.compare_digest(row.mac, sent):
        return KEY_INVALID
    if row.not_after is not None and now >= row.not_after:
        return KEY_EXPIRED
    return None
