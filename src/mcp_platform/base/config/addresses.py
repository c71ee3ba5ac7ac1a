"""The URLs that the settings stand for."""

import ipaddress

from mcp_platform.base.config.settings import Console, Gateway

MCP_PATH = "/mcp"


def mcp_url(gateway: Gateway, port: int | None = None) -> str:
    """Where agents call. `port` is the one in use, where the setting left the choice to the system."""
    return base_url(gateway, port) + MCP_PATH


def base_url(surface: Gateway | Console, port: int | None = None) -> str:
    """The surface's URL without a slash at the end."""
    if surface.public_url is not None:
        return surface.public_url.rstrip("/")
    return f"{scheme(surface)}://{authority(surface.host, port or surface.port)}"


def scheme(surface: Gateway | Console) -> str:
    """What the listener itself speaks; a proxy in front may speak another."""
    return "http" if surface.tls_certificate is None else "https"


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def authority(host: str, port: int) -> str:
    """`host:port` as a URL has it. A wildcard is no address to call: loopback stands for it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
