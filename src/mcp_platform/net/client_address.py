"""Where an upstream is: its URL taken apart, its name resolved, and which addresses may be connected to.

The address that was checked is the one connected to, so a name that resolves differently a moment later gains nothing.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mcp_platform.base.errors import Fault, define
from mcp_platform.net.client_trust import Trust
from mcp_platform.net.client_unreached import unresolved

ADDRESS_REFUSED = define(
    "upstream_address_refused",
    http=502,
    jsonrpc=-31512,
    text="The address of this MCP server is one that the platform never connects to; use another.",
    whose="caller",
)
URL_INVALID = define(
    "upstream_url_invalid",
    http=422,
    jsonrpc=-32602,
    text="The URL of an MCP server must be http:// or https:// with a host, and without user, password or fragment.",
    whose="caller",
)

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Predicate = Callable[[IpAddress], bool]

MAX_ADDRESSES = 8
"""Addresses of one name that are tried. Names of one service rarely have more; each try costs time."""
MAX_URL_CHARACTERS = 2048
"""Characters; the common ceiling of browsers and proxies."""

_METADATA = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")),
)
"""Metadata services of clouds outside the link-local range (Alibaba, Oracle, AWS over IPv6): they give credentials to
whoever asks from the machine."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\.?")
_PATH = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host, port and whom we trust there: what a connection can be used again for."""

    scheme: str
    host: str
    port: int
    trust: Trust | None = None
    """None: as everybody on this system."""

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL, ready to be asked."""

    origin: Origin
    path: str
    """Path and query, as they stand in the request line."""


def parse_url(url: str) -> Destination:
    """Raises Fault(upstream_url_invalid)."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise Fault(URL_INVALID) from None
    plain = len(url) <= MAX_URL_CHARACTERS and url.isascii() and _PATH.fullmatch(url) is not None
    if not plain or parts.scheme not in ("http", "https") or "@" in parts.netloc or "#" in url:
        raise Fault(URL_INVALID)
    if ":" in host:
        try:
            # A scope (%eth0) stands on link-local addresses only, which are refused anyhow.
            host = str(ipaddress.IPv6Address(host.replace("%", "/")))
        except ValueError:
            raise Fault(URL_INVALID) from None
    elif not _HOST.fullmatch(host):
        raise Fault(URL_INVALID)
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    path = parts.path or "/"
    return Destination(Origin(parts.scheme, host, port), f"{path}?{parts.query}" if parts.query else path)


def embedded(address: IpAddress) -> IpAddress:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_never_allowed(address: IpAddress) -> bool:
    """Link-local (where clouds keep their metadata), multicast, unspecified, broadcast: no MCP server lives there."""
    address = embedded(address)
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
        or (address.version == 4 and int(address) == 0xFFFFFFFF)
    )


def operator_added(address: IpAddress) -> bool:
    """The rule for upstreams that the operator added: loopback and private addresses are theirs to name.

    Warning: this allows every address of the operator's own networks; URLs that anybody else can influence need a
    narrower rule.
    """
    return True


async def resolve(origin: Origin, allowed: Predicate) -> list[str]:
    """Addresses that may be connected to, in the system's order. Raises Fault(upstream_down,
    upstream_address_refused)."""
    try:
        found: list[IpAddress] = [ipaddress.ip_address(origin.host)]
    except ValueError:
        found = await _look_up(origin)
    good = [str(address) for address in found if not is_never_allowed(address) and allowed(address)]
    if not good:
        raise Fault(ADDRESS_REFUSED, data={"stage": "resolve", "host": origin.host, "address": str(found[0])})
    return good[:MAX_ADDRESSES]


async def _look_up(origin: Origin) -> list[IpAddress]:
    try:
        rows = await asyncio.get_running_loop().getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise unresolved(origin.host, error) from error
    texts = dict.fromkeys(str(row[4][0]).partition("%")[0] for row in rows)
    return [ipaddress.ip_address(text) for text in texts]
