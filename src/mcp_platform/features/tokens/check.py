"""Admin tokens: their form, their MAC, and whether one is good now. Pure.

A token is `mcpa_` and the same characters as an API key: 12 of id, 32 of secret, 6 of checksum. The MAC key is derived
from the data key, which no worker has: whoever takes over a worker can make no token.
"""

import hashlib
import hmac
import re

from mcp_platform.base import ids
from mcp_platform.base.errors import ErrorKind
from mcp_platform.features.apikeys.check import CHECKSUM_CHARACTERS, ID_CHARACTERS, SECRET_CHARACTERS, checksum
from mcp_platform.features.tokens.errors import ADMIN_TOKEN_EXPIRED, ADMIN_TOKEN_INVALID

PREFIX = "mcpa_"
MAX_LIFE_S = 3600.0
"""Seconds: an hour. Whoever needs more asks for another at the machine."""
USUAL_LIFE_S = 900.0
MAC_BYTES = 32
NO_MAC = bytes(MAC_BYTES)
"""Compared with where no token has the id, so that an unknown id takes as long as a wrong secret."""

_FORM = re.compile(r"mcpa_([0-9A-Za-z]{12})[0-9A-Za-z]{38}", re.ASCII)


def generate() -> str:
    """A new token from the system's generator."""
    body = PREFIX + ids.random_text(ID_CHARACTERS + SECRET_CHARACTERS)
    return body + checksum(body)


def parse(text: str) -> str | None:
    """The id of a well-formed token; None for anything else."""
    found = _FORM.fullmatch(text)
    if found is None or checksum(text[:-CHECKSUM_CHARACTERS]) != text[-CHECKSUM_CHARACTERS:]:
        return None
    return found[1]


def mac(data_key: bytes, text: str) -> bytes:
    """Keyed BLAKE2b over the whole token."""
    return hashlib.blake2b(text.encode(), key=data_key, digest_size=MAC_BYTES, person=b"mcpp admin token").digest()


def verify(stored: bytes | None, sent: bytes, not_after: float, revoked: bool, now: float) -> ErrorKind | None:
    """None where the token is good at `now`. `stored` None: no token has that id. That one has expired is told only to
    whoever knows its secret."""
    same = hmac.compare_digest(NO_MAC if stored is None else stored, sent)
    if not same or stored is None or revoked:
        return ADMIN_TOKEN_INVALID
    return ADMIN_TOKEN_EXPIRED if now >= not_after else None
