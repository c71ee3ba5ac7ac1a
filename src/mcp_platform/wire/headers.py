"""MCP's own HTTP headers (2026-07-28, basic/transports/streamable-http): their names and how a value is encoded."""

import base64
import binascii
import re

VERSION = "mcp-protocol-version"
METHOD = "mcp-method"
NAME = "mcp-name"
SESSION = "mcp-session-id"
PARAM_PREFIX = "mcp-param-"

_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_WRAPPED = re.compile(r"=\?base64\?(.*)\?=")


def encode_value(value: str) -> str:
    """`value` as it may stand in a header: as is, or `=?base64?…?=` of its UTF-8 where it could be damaged or
    mistaken on the way."""
    if _PLAIN.fullmatch(value) and not _WRAPPED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decode_value(value: str) -> str | None:
    """What a header's value means; None where it claims to be base64 and is not its canonical form, so that a damaged
    value agrees with nothing."""
    wrapped = _WRAPPED.fullmatch(value)
    if wrapped is None:
        return value
    try:
        plain = base64.b64decode(wrapped[1], validate=True)
        return plain.decode() if base64.b64encode(plain).decode() == wrapped[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None
