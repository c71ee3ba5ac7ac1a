"""Who a connection or a request comes from: an address as ceilings and limits count it, and the address of a client
behind proxies that we trust. Pure.

What a stranger writes into a header is never believed: by default no proxy is trusted, and no header is read.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from functools import lru_cache

MAX_ENTRIES = 32
"""Entries of the header that are looked at, from the right: more trusted proxies in a row are a loop."""
_PORT = r"(?::[0-9]{1,5})?"
_FORM = re.compile(rf"([0-9.]{{7,15}}){_PORT}|\[([0-9A-Fa-f:.]{{2,45}})\]{_PORT}|([0-9A-Fa-f:.]{{2,45}})")
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PAIR = rf'{_WORD}=(?:{_WORD}|"(?:[^"\\,;]|\\.)*")'
_ELEMENT = re.compile(rf"{_PAIR}(?:[ \t]*;[ \t]*{_PAIR})*")
_FOR = re.compile(r'(?:^|;)[ \t]*for="?([^";]*)"?', re.IGNORECASE)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def counted_as(address: str) -> bytes | None:
    """16 bytes that stand for whoever `address` is: an IPv4 address, or an IPv6 /64 (what one customer gets). None
    for "", which is a Unix socket."""
    if not address:
        return None
    if ":" not in address:
        return b"\0" * 10 + b"\xff\xff" + socket.inet_pton(socket.AF_INET, address)
    raw = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    if raw.startswith(b"\0" * 10 + b"\xff\xff"):
        return raw
    return raw[:8] + b"\xff" * 8  # never all zero, which means an empty place


class TrustedProxies:
    """Answers from which address a request really comes."""

    def __init__(self, networks: Iterable[str], header: str) -> None:
        """`header` is the one that the proxies write: `x-forwarded-for` or `forwarded`. The other is not read, because
        a proxy passes on what it does not write."""
        self._networks = tuple(ipaddress.ip_network(each) for each in networks)
        self._header = header
        self._trusts = lru_cache(maxsize=1024)(self._is_trusted)

    def client(self, peer: str, headers: dict[str, str]) -> str:
        """The address next to the proxies that we trust, seen from us; the peer's own where the header is missing or
        is not understood."""
        if not self._networks or not peer:
            return peer
        value = headers.get(self._header)
        if value is None or not self._trusts(peer):
            return peer
        entries = value.rsplit(",", MAX_ENTRIES)
        found = peer
        for entry in reversed(entries[-MAX_ENTRIES:]):
            address = _forwarded_for(entry.strip(" \t")) if self._header == "forwarded" else entry.strip(" \t")
            read = _read(address)
            if read is None:
                return peer
            found = read
            if not self._trusts(found):
                return found
        return found if len(entries) <= MAX_ENTRIES else peer

    def _is_trusted(self, address: str) -> bool:
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def _forwarded_for(element: str) -> str:
    """The `for` of one element of Forwarded (RFC 7239 §4); "" where there is none, or two."""
    if _ELEMENT.fullmatch(element) is None:
        return ""
    named = _FOR.findall(element)
    return named[0] if len(named) == 1 else ""


def _read(text: str) -> str | None:
    """An address with or without a port, as text in its shortest form; None for anything else."""
    match = _FORM.fullmatch(text)
    parsed = None if match is None else _parse(match[1] or match[2] or match[3])
    return None if parsed is None else str(parsed)


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
