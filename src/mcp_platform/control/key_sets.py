"""Fetches the key set of an issuer: one GET to the address that the operator gave, through our own client.

https with a verified certificate, or this machine itself; no redirect is followed, nothing is sent but the request.
"""

import asyncio
import ssl

from mcp_platform.base.errors import Fault
from mcp_platform.features.jwt.errors import ISSUER_KEYS_INVALID, ISSUER_KEYS_UNREACHABLE
from mcp_platform.features.jwt.keys import MAX_DOCUMENT_BYTES
from mcp_platform.features.jwt.policy import require_safe
from mcp_platform.net import tls
from mcp_platform.net.client import HttpClient
from mcp_platform.net.client_address import IpAddress, operator_added, parse_url
from mcp_platform.net.client_head import head
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN

FETCH_S = 10.0
"""Seconds for the whole of it. A key set is a small static document."""


async def fetch(url: str, authority: str | None, connect_timeout_s: float) -> bytes:
    """The document. Raises Fault(issuer_keys_unreachable, issuer_url_insecure, issuer_keys_invalid)."""
    require_safe(url)
    client = HttpClient(
        max_connections=1,
        connect_timeout_s=connect_timeout_s,
        allowed=operator_added if url.startswith("https:") else _is_this_machine,
        tls=None if authority is None else _context(authority),
    )
    try:
        async with asyncio.timeout(FETCH_S):
            return await _get(client, url)
    except TimeoutError:
        raise Fault(ISSUER_KEYS_UNREACHABLE, data={"stage": "time"}) from None
    except Fault as fault:
        if fault.kind in (ISSUER_KEYS_UNREACHABLE, ISSUER_KEYS_INVALID):
            raise
        text = f"The issuer's key set could not be fetched. {fault.text}" if fault.kind is UPSTREAM_DOWN else None
        raise Fault(ISSUER_KEYS_UNREACHABLE, text, {"stage": "http", **fault.data}) from fault
    finally:
        await client.close()


async def _get(client: HttpClient, url: str) -> bytes:
    destination = parse_url(url)
    exchange = await client.open(destination)
    try:
        exchange.send(head("GET", destination, {"accept": "application/jwk-set+json, application/json"}), b"")
        await exchange.head()
        if exchange.status != 200:
            raise Fault(ISSUER_KEYS_UNREACHABLE, data={"stage": "http", "status": exchange.status})
        return await exchange.read(MAX_DOCUMENT_BYTES)
    finally:
        exchange.close()


def _is_this_machine(address: IpAddress) -> bool:
    return address.is_loopback


def _context(authority: str) -> ssl.SSLContext:
    try:
        return tls.for_upstream(authority)
    except (ssl.SSLError, ValueError) as error:
        raise Fault(ISSUER_KEYS_INVALID, "The authority is not a file of PEM certificates.") from error
