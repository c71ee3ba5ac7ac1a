"""Who may read a file that holds a secret key."""

from pathlib import Path

CREDENTIALS = Path("/run/credentials")
"""Where systemd puts what LoadCredential= names: a folder that only root and the service's user may enter. A file there
is root's and let out by an ACL, which shows as rights of the group (systemd.exec(5))."""


def is_ours_alone(path: Path, mode: int, owner: int, user: int) -> bool:
    """Whether nobody but `user`, and root, can read a key file with this mode and owner."""
    if owner == 0 and path.is_relative_to(CREDENTIALS) and ".." not in path.parts:
        return mode & 0o007 == 0
    return owner in (user, 0) and mode & 0o077 == 0
