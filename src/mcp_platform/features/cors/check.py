"""Which Host and Origin headers are answered, and what a page of an allowed origin is told: exact allow-lists,
against DNS rebinding and foreign pages.

Pure. The sets are made once; a request costs one lookup. Nothing is normalised but letter case, so what looks
different is different.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mcp_platform.features.cors.model import (
    ANSWER_HEADERS,
    MAX_PARAM_HEADERS,
    METHODS,
    PREFLIGHT_S,
    REQUEST_HEADERS,
)

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(?P<name>[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?", re.ASCII)
_ORIGIN = re.compile(r"https?://(?P<host>[^/?#@\s]+)", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PARAM = re.compile(r"mcp-param-[a-z0-9-]{1,64}", re.ASCII)
_VARY = b"Vary: Origin\r\n"


def _forms(name: str, port: int | None, scheme: str) -> set[str]:
    """How a client writes this host in its Host header: the default port of the scheme may be left out."""
    if port is None:
        port = _DEFAULT_PORTS.get(scheme)
    forms = {f"{name}:{port}"}
    if port == _DEFAULT_PORTS.get(scheme):
        forms.add(name)
    return forms


def _bracketed(host: str) -> str:
    """`host` as a Host header has it: IPv6 in brackets and in its shortest form, lower case."""
    bare = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return bare
    return f"[{address}]" if address.version == 6 else str(address)


def _listening(host: str, port: int, scheme: str) -> set[str]:
    name = _bracketed(host)
    try:
        address = ipaddress.ip_address(name.strip("[]"))
        local = address.is_loopback or address.is_unspecified
        everywhere = address.is_unspecified
    except ValueError:
        local, everywhere = name == "localhost", False
    names = set(_LOOPBACK) if local else set()
    if not everywhere:
        names.add(name)
    return {form for one in names for form in _forms(one, port, scheme)}


@dataclass(frozen=True, slots=True)
class HostRule:
    """The Host header values that are ours."""

    hosts: frozenset[str]

    @classmethod
    def of(
        cls,
        public_url: str | None,
        host: str,
        port: int,
        allowed_hosts: Iterable[str] = (),
        *,
        scheme: str = "http",
    ) -> "HostRule":
        """`port` is the one that is really bound, `scheme` the one spoken there. An entry of `allowed_hosts` without a
        port stands for no port and for the bound one. Listening everywhere answers to loopback names only: the rest
        must be named."""
        hosts = _listening(host, port, scheme)
        if public_url is not None:
            parts = urlsplit(public_url)
            if parts.hostname:
                hosts |= _forms(_bracketed(parts.hostname), parts.port, parts.scheme)
        for entry in allowed_hosts:
            found = _HOST.fullmatch(entry.lower())
            if found is not None:
                hosts |= {entry.lower()} if found["port"] else {found["name"], f"{found['name']}:{port}"}
        return cls(frozenset(hosts))

    def accepts(self, host_header: str) -> bool:
        return host_header in self.hosts or host_header.lower() in self.hosts


@dataclass(frozen=True, slots=True)
class OriginRule:
    """The Origin header values that may call. None by default."""

    origins: frozenset[str]

    @classmethod
    def of(cls, allowed_origins: Iterable[str] = ()) -> "OriginRule":
        return cls(frozenset(origin for origin in map(serialised, allowed_origins) if origin is not None))

    def accepts(self, origin: str | None) -> bool:
        """A request without Origin comes from no page. `null` is every sandboxed page at once: refused."""
        return origin is None or origin in self.origins


def own_origins(public_url: str | None, host: str, port: int, scheme: str) -> OriginRule:
    """The origins of a surface's own pages; the rest as for HostRule.of."""
    local = (f"{scheme}://{form}" for form in _listening(host, port, scheme))
    return OriginRule.of([*local, *([public_url.rstrip("/")] if public_url is not None else [])])


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the answers of one endpoint say to pages of the origins that may call it, as ready header lines."""

    lines_by_origin: dict[str | None, bytes]
    always: bytes
    """Whatever the Origin, and without one: caches must not give one's answer to another."""

    @classmethod
    def of(cls, rule: OriginRule) -> "Sharing":
        """Where no origin may call, nothing is said."""
        expose = ", ".join(ANSWER_HEADERS)
        lines: dict[str | None, bytes] = {
            origin: f"Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Expose-Headers: {expose}\r\n".encode()
            for origin in rule.origins
        }
        return cls(lines, _VARY if lines else b"")

    def lines(self, headers: dict[str, str]) -> bytes:
        """The lines for every answer to a request with these headers, beside `always`."""
        return self.lines_by_origin.get(headers.get("origin"), b"")


def preflight(headers: dict[str, str]) -> bytes:
    """What a preflight of an allowed origin is told beside `Sharing.lines`."""
    asked = headers.get("access-control-request-headers", "").lower().split(",", MAX_PARAM_HEADERS + 1)
    params = {name for each in asked[:MAX_PARAM_HEADERS] if _PARAM.fullmatch(name := each.strip())}
    allowed = ", ".join((*REQUEST_HEADERS, *sorted(params)))
    return (
        f"Access-Control-Allow-Methods: {METHODS}\r\n"
        f"Access-Control-Allow-Headers: {allowed}\r\n"
        f"Access-Control-Max-Age: {PREFLIGHT_S}\r\n"
        "Vary: Access-Control-Request-Headers\r\n"
    ).encode()


def asks_for_private_network(headers: dict[str, str]) -> bool:
    """Whether a browser asks if a page of the public internet may call an address that is not public (Private Network
    Access, and its successor Local Network Access)."""
    return "access-control-request-private-network" in headers or "access-control-request-local-network" in headers


def is_from_elsewhere(headers: dict[str, str], *, to_page: bool) -> bool:
    """Whether a browser sent this for a page that is not ours (W3C Fetch Metadata). A page may be opened from anywhere
    as a tab of its own, never in a frame. Clients that are no browsers send nothing of this."""
    site = headers.get("sec-fetch-site")
    if site in (None, "same-origin", "none"):
        return False
    opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return not (to_page and opened)


def serialised(entry: str) -> str | None:
    """`entry` as a browser serialises that origin (RFC 6454 §6.2); None where it is not scheme, host and port."""
    lowered = entry.lower()
    found = _ORIGIN.fullmatch(lowered)
    host = _HOST.fullmatch(found["host"]) if found is not None else None
    if host is None:
        return None
    scheme = lowered.partition(":")[0]
    default = host["port"] is not None and int(host["port"]) == _DEFAULT_PORTS[scheme]
    return f"{scheme}://{host['name']}" if default else lowered
