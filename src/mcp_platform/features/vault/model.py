"""What a key file must be, and the one file among the keys that holds no secret."""

from pathlib import Path

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.features.vault.errors import KEYS_MISSING

CREDENTIALS = Path("/run/credentials")
"""Where systemd puts what LoadCredential= names: a folder that only root and the service's user may enter. A file there
is root's and let out by an ACL, which shows as rights of the group (systemd.exec(5))."""


def is_ours_alone(path: Path, mode: int, owner: int, user: int) -> bool:
    """Whether nobody but `user`, and root, can read a key file with this mode and owner."""
    if owner == 0 and path.is_relative_to(CREDENTIALS) and ".." not in path.parts:
        return mode & 0o007 == 0
    return owner in (user, 0) and mode & 0o077 == 0


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
