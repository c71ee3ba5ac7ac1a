"""Opens the key ring for the one secret that workers need. Imported in a short-lived child only: it reads all keys."""

from mcp_platform.base.config import Settings
from mcp_platform.base.folder import DataFolder
from mcp_platform.features.vault.keys import KeyRing


def read(data: DataFolder, settings: Settings) -> bytes:
    """64 bytes. Raises the key ring's faults."""
    return KeyRing.open(data, settings.vault.kek_file).worker_secret
