"""The head of a request to an upstream, as bytes. Whatever could end a line or begin another is refused."""

import re

from mcp_platform.base.errors import Fault, define
from mcp_platform.net.client_address import Destination

HEADER_INVALID = define(
    "upstream_header_invalid",
    http=422,
    jsonrpc=-32602,
    text="A header for an MCP server must have a name of RFC 9110 and a value of visible ASCII in one line.",
    whose="caller",
)

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
_METHOD = re.compile(r"[A-Z]{1,16}")
OWNED = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "accept-encoding",
        "expect",
        "upgrade",
        "te",
        "trailer",
    }
)
"""Headers that frame the message or choose the connection: the client's own, never given by a configuration."""


def line(name: str, value: str) -> bytes:
    """One header line. Raises Fault(upstream_header_invalid)."""
    if not _NAME.fullmatch(name) or name.lower() in OWNED or not _VALUE.fullmatch(value):
        raise Fault(HEADER_INVALID)
    return f"{name}: {value}\r\n".encode("ascii")


def head(method: str, destination: Destination, headers: dict[str, str]) -> bytes:
    """Request line and headers up to, not including, the length and the empty line: they come with the body."""
    assert _METHOD.fullmatch(method), "methods are constants of ours"
    first = (
        f"{method} {destination.path} HTTP/1.1\r\nhost: {destination.origin.authority}\r\naccept-encoding: identity\r\n"
    )
    return first.encode("ascii") + b"".join(line(name, value) for name, value in headers.items())
