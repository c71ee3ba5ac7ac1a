"""The state of a resource: its ETag, and what If-Match and If-None-Match say of it (RFC 9110 §13). Pure."""

import base64
import hashlib
import re

_TAGS = re.compile(r'\s*(?:(W/)?"([\x21\x23-\x7e]*)"\s*(?:,\s*|$))+')
_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e]*")')


def etag(content: bytes) -> str:
    """A strong one: 132 bits of the SHA-256 of what is answered."""
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(content).digest())[:22].decode()}"'


def matches(header: str, now: str) -> bool:
    """If-Match: whether `now` is one of those named, compared strongly. `*` is every state that there is."""
    return header.strip() == "*" or any(not weak and tag == now for weak, tag in _read(header))


def is_known(header: str, now: str) -> bool:
    """If-None-Match: whether whoever asks has this state already, compared weakly."""
    return header.strip() == "*" or any(tag == now for _, tag in _read(header))


def _read(header: str) -> list[tuple[str, str]]:
    """The tags of a header; none where it has not the form."""
    return _TAG.findall(header) if _TAGS.fullmatch(header) else []
