"""The one file among the keys that holds no secret."""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.features.vault.errors import KEYS_MISSING


class Platform(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """DATA/keys/platform.json: who this platform is. Not secret."""

    platform_id: str
    created_at: float


def read_platform(data: DataFolder) -> Platform:
    """Raises Fault(keys_missing)."""
    try:
        return msgspec.json.decode((data.keys / "platform.json").read_bytes(), type=Platform)
    except (OSError, msgspec.MsgspecError) as error:
        raise Fault(KEYS_MISSING) from error
