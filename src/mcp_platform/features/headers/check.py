"""The table of security headers as bytes, ready to send. Pure: made once, when a surface starts."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from mcp_platform.features.headers.model import HEADERS, NONCE, Header

_POLICY = "Content-Security-Policy"


def is_secure(public_url: str | None, hosts: Iterable[str], *, tls: bool, development: bool = False) -> bool:
    """Whether clients come over TLS (ours, or that of a proxy in front) to a name that a browser may hold to it.

    `hosts` are the names that are answered where there is no `public_url`, each with or without a port. A browser would
    hold every server of this machine to https for `localhost`, so neither that name nor a `development` certificate,
    which vouches for no other, counts; and no IP address, for which HSTS means nothing (RFC 6797 §8.1.1).
    """
    if development:
        return False
    if public_url is not None:
        return urlsplit(public_url).scheme == "https" and _is_name(urlsplit(public_url).hostname)
    return tls and any(_is_name(urlsplit(f"//{host}").hostname) for host in hosts if host.count(":") < 2)


def for_api(*, secure: bool) -> bytes:
    """The lines of every answer that is no page."""
    return b"".join(_line(each, each.api) for each in HEADERS if secure or not each.only_secure)


def for_pages(*, secure: bool) -> bytes:
    """The lines of every page but the policy, which has a nonce and so is made for each answer."""
    lines = (_line(each, each.page) for each in HEADERS if each.name != _POLICY and (secure or not each.only_secure))
    return b"".join(lines)


def page_policy(nonce: str) -> bytes:
    """The policy line of one page; scripts and styles run where they carry `nonce`."""
    return _PAGE_POLICY.replace(NONCE.encode(), nonce.encode("ascii"))


def _is_name(host: str | None) -> bool:
    """Whether `host` is a name that stands for one place: no IP address, and not this machine (RFC 6761 §6.3)."""
    name = (host or "").rstrip(".").lower()
    if not name or name == "localhost" or name.endswith(".localhost"):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return not name.rpartition(".")[2].isdigit()  # what browsers read as IPv4, `127.1` among it (WHATWG URL §3.5)
    return False


def _line(header: Header, value: str | None) -> bytes:
    return b"" if value is None else f"{header.name}: {value}\r\n".encode("ascii")


_PAGE_POLICY = next(_line(each, each.page) for each in HEADERS if each.name == _POLICY)
