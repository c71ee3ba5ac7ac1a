"""Judges the listeners' certificates and keys. Asked in a short-lived child only: what the supervisor reads stands in
every process that it forks, and a TLS key is for those who serve with it."""

from mcp_platform.base.config import Settings
from mcp_platform.base.folder import DataFolder
from mcp_platform.net.tls_files import Pair, load


def check(_data: DataFolder, settings: Settings) -> bytes:
    """Raises Fault(tls_pair_unusable)."""
    for surface in (settings.gateway, settings.console):
        pair = Pair.of(surface.tls_certificate, surface.tls_key)
        if pair is not None:
            load(pair, settings.tls.minimum)
    return b""
