"""The state of a resource: its ETag, and what If-Match and If-None-Match say of it (RFC 9110 §13). Pure."""

import base64
import hashlib
import re

STATE_PATTERN = r'^(|\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'
"""What If-Match and If-None-Match are like; an empty one names no state."""
_FORM = re.compile(STATE_PATTERN[1:-1])
_TAG = re.compile(r'(W/)?("[!#-~]*")')


def is_form(header: str) -> bool:
    """Whether it can be read at all; what follows asks only of such a one."""
    return _FORM.fullmatch(header) is not None


def etag(content: bytes) -> str:
    """A strong one: 132 bits of the SHA-256 of what is answered."""
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(content).digest())[:22].decode()}"'


def matches(header: str, now: str) -> bool:
    """If-Match: whether `now` is one of those named, compared strongly. `*` is every state that there is."""
    return header == "*" or ("", now) in _TAG.findall(header)


def is_known(header: str, now: str) -> bool:
    """If-None-Match: whether whoever asks has this state already, compared weakly."""
    return header == "*" or any(tag == now for _, tag in _TAG.findall(header))
