"""Arguments and results as policy lets them be recorded: not at all, recognisable, without secrets, or in full.

Pure but for nonces. Nothing readable ever leaves here in plaintext: what can be opened is encrypted with the subject's
key, so that erasing that key erases it (redacted content too: without its secrets it is still about somebody).
"""

import os
import re
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag

from mcp_platform.features.vault.check import NONCE_BYTES
from mcp_platform.journal.record import Content
from mcp_platform.journal.subjects import SubjectKey

POLICIES: Final = ("none", "hashed", "redacted", "full")
MAX_FULL_BYTES: Final = 1024 * 1024
"""Bytes; longer content is recorded as `hashed`. Encrypting 1 MiB takes the loop 0.4 ms, and a segment holds 60."""
MAX_REDACTED_BYTES: Final = 64 * 1024
"""Bytes; longer content is recorded as `hashed`. Redacting 64 KiB holds the loop for about 3 ms."""
MAX_DEPTH: Final = 64
ARGUMENTS: Final = b"arguments"
RESULT: Final = b"result"
REMOVED: Final = "[removed]"

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)?$|secret|token|api[_-]?key|apikey|credential|authorization|cookie|session[_-]?id"
    r"|private[_-]?key|access[_-]?key|^pin$|^otp$|^cvv|^ssn$|card[_-]?number",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"mcpp_[0-9A-Za-z]{20,}"  # our own keys
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # JWT
    r"|(?:gh[pousr]|github_pat|glpat|xox[abprs]|sk|pk|rk|hf|npm|pypi)[_-][\w-]{16,}"  # tokens with a well-known prefix
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}"  # AWS
    r"|AIza[\w-]{30,}"  # Google
    r"|(?i:bearer|basic) [\w.~+/=-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
    r"|(?<=://)[^/\s:@]{1,256}:[^/\s@]{1,256}(?=@)"  # user:password in a URL
)


def recorded(policy: str, key: SubjectKey, what: bytes, content: bytes) -> Content | None:
    """`content` as the journal keeps it under `policy`. `what`: ARGUMENTS or RESULT, so that one is no copy of the
    other."""
    if policy == "none":
        return None
    if policy == "redacted" and len(content) <= MAX_REDACTED_BYTES:
        without = redacted(content)
        if without is not None:
            return Content("redacted", len(content), key.id, _encrypted(key, what, without))
    elif policy == "full" and len(content) <= MAX_FULL_BYTES:
        return Content("full", len(content), key.id, _encrypted(key, what, content))
    return hashed(key, what, content)


def hashed(key: SubjectKey, what: bytes, content: bytes) -> Content:
    return Content("hashed", len(content), key.id, key.mac(what, content))


def opened(content: Content, key: SubjectKey, what: bytes) -> bytes | None:
    """What was recorded of it, readable; None for what is only hashed, or was changed."""
    if content.policy == "hashed" or content.key != key.id:
        return None
    try:
        return key.cipher.decrypt(content.value[:NONCE_BYTES], content.value[NONCE_BYTES:], what)
    except (InvalidTag, ValueError):
        return None


def _encrypted(key: SubjectKey, what: bytes, content: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.cipher.encrypt(nonce, content, what)


def redacted(content: bytes) -> bytes | None:
    """JSON with what looks like a secret taken out; None where it is no JSON that can be walked safely."""
    try:
        return msgspec.json.encode(_without_secrets(msgspec.json.decode(content), 0))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def _without_secrets(value: object, depth: int) -> object:
    if depth > MAX_DEPTH:
        return REMOVED
    if isinstance(value, str):
        return _SECRET_TEXT.sub(REMOVED, value)
    if isinstance(value, list):
        return [_without_secrets(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {
            _SECRET_TEXT.sub(REMOVED, name): REMOVED if _hides(name, each) else _without_secrets(each, depth + 1)
            for name, each in value.items()
        }
    return value


def _hides(name: str, value: object) -> bool:
    """True where the name says that the value is a secret. `true`, `false` and `null` are none."""
    return value is not None and not isinstance(value, bool) and _SECRET_NAME.search(name) is not None
