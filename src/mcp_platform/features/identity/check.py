"""Names of principals and agents, and the set-up link. Pure."""

import hashlib
import hmac
import re

from mcp_platform.base import ids
from mcp_platform.base.errors import ErrorKind
from mcp_platform.features.identity.errors import SETUP_LINK_EXPIRED, SETUP_LINK_INVALID

SETUP_TTL_S = 900.0
"""Seconds from the first start of the platform: long enough to open a browser, short enough to be no back door."""
SETUP_TOKEN_CHARACTERS = 43
"""Characters of base 62: 256 bits, as the set-up link gives everything."""

_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)
_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@/+-]{0,63}", re.ASCII)


def is_principal_name(text: str) -> bool:
    return _PRINCIPAL.fullmatch(text) is not None


def is_agent_name(text: str) -> bool:
    return _AGENT.fullmatch(text) is not None


def new_setup_token() -> str:
    return ids.random_text(SETUP_TOKEN_CHARACTERS)


def setup_mac(key: bytes, token: str) -> bytes:
    """Keyed BLAKE2b; `key` is the data key."""
    return hashlib.blake2b(token.encode(), key=key, digest_size=32, person=b"mcpp set-up link").digest()


def verify_setup(stored: bytes, sent: bytes, expires_at: float | None, now: float) -> ErrorKind | None:
    """None where the link is good at `now`. That it has expired is told only to one who has it."""
    if not hmac.compare_digest(stored, sent):
        return SETUP_LINK_INVALID
    if expires_at is None or now >= expires_at:
        return SETUP_LINK_EXPIRED
    return None
