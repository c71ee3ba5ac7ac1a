"""The table of security headers as bytes, ready to send. Pure: made once, when a surface starts."""

from urllib.parse import urlsplit

from mcp_platform.features.headers.model import HEADERS, NONCE, Header

_POLICY = "Content-Security-Policy"


def is_secure(public_url: str | None, tls_certificate: str | None) -> bool:
    """Whether clients come over TLS: ours, or that of a proxy in front."""
    return tls_certificate is not None or (public_url is not None and urlsplit(public_url).scheme == "https")


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


def _line(header: Header, value: str | None) -> bytes:
    return b"" if value is None else f"{header.name}: {value}\r\n".encode("ascii")


_PAGE_POLICY = next(_line(each, each.page) for each in HEADERS if each.name == _POLICY)
