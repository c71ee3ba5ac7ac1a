"""What a setting may hold, beyond its type: ranges, choices, and the forms of addresses.

Each rule is a pure question, `expected(value)`: None when the value is fine, otherwise what was expected, in words.
No rule ever returns any part of the value.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_PORT = re.compile(r"[0-9]{1,5}")


class Rule(Protocol):
    """One condition on a value of the right type."""

    def expected(self, value: object) -> str | None:
        """What was expected in its place, or None where `value` is fine."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two bounds, both allowed."""

    low: float
    high: float

    def expected(self, value: object) -> str | None:
        assert isinstance(value, int | float), "a range stands only on a number"
        # Written this way round so that NaN is refused too.
        return None if self.low <= value <= self.high else f"a number from {self.low:g} to {_plain(self.high)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def expected(self, value: object) -> str | None:
        return None if value in self.words else f"one of {', '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class HostForm:
    """An IPv4 address, an IPv6 address (without brackets) or a DNS name."""

    def expected(self, value: object) -> str | None:
        return None if is_host(str(value)) else "an IPv4 or IPv6 address (no brackets), or a host name"


@dataclass(frozen=True, slots=True)
class AuthorityForm:
    """A value of the Host header: a host, or host:port; IPv6 in brackets."""

    def expected(self, value: object) -> str | None:
        return None if _is_authority(str(value)) else "a host or host:port, IPv6 in brackets"


@dataclass(frozen=True, slots=True)
class UrlForm:
    """`http` or `https`, a host, perhaps a port, and nothing else."""

    example: str = "https://mcp.example.com"

    def expected(self, value: object) -> str | None:
        if is_bare_url(str(value)):
            return None
        return f"http:// or https:// with a host and perhaps a port, nothing after it, for example {self.example}"


@dataclass(frozen=True, slots=True)
class OriginForm:
    """An origin exactly as a browser sends it (RFC 6454 §6.2): lower case, no default port, no slash at the end."""

    def expected(self, value: object) -> str | None:
        text = str(value)
        if is_bare_url(text) and text == text.lower() and not text.endswith("/") and not _has_default_port(text):
            return None
        return "an origin as a browser sends it, for example https://app.example.com: lower case, no path, no `*`"


@dataclass(frozen=True, slots=True)
class NetworkForm:
    """An IP address or a network as CIDR has it, with no bit set behind its prefix."""

    def expected(self, value: object) -> str | None:
        try:
            network = ipaddress.ip_network(str(value))
        except ValueError:
            return "an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32, with no bits behind the prefix"
        # Whoever trusts every address believes whatever a stranger writes.
        return None if network.prefixlen else "a network smaller than every address there is"


@dataclass(frozen=True, slots=True)
class PathForm:
    """An absolute path, or one that starts with `~/`."""

    def expected(self, value: object) -> str | None:
        text = str(value)
        return None if text.startswith(("/", "~/")) and "\0" not in text else "an absolute path, or one that starts ~/"


def is_host(text: str) -> bool:
    """Whether `text` is an IP address without brackets or a DNS name (RFC 1123, with `_` as in container names)."""
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        pass
    labels = text.split(".")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    # A last label of digits only is an IPv4 address with a mistake in it (WHATWG URL, "ends in a number").
    return not labels[-1].isdigit()


def is_bare_url(text: str) -> bool:
    """Whether `text` is scheme://host[:port], http or https, with at most one `/` behind it."""
    if not text.isascii() or any(c <= " " or c in "\\\x7f" for c in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or parts.path not in ("", "/") or "?" in text or "#" in text:
        return False
    return _is_authority(parts.netloc)


def _is_authority(text: str) -> bool:
    host, port = text, None
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            return False
        port = rest[1:] if rest else None
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return False
    else:
        if ":" in text:
            host, _, port = text.partition(":")
        if not is_host(host):
            return False
    return port is None or (bool(_PORT.fullmatch(port)) and 0 < int(port) <= 65535)


def _has_default_port(text: str) -> bool:
    return (text.startswith("https:") and text.endswith(":443")) or (text.startswith("http:") and text.endswith(":80"))


def _plain(number: float) -> str:
    """12345678 rather than 1.23457e+07."""
    return str(int(number)) if float(number).is_integer() else f"{number:g}"
