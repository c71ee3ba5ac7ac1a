"""The data folder: where each thing stands. Folders are 0700, files 0600."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataFolder:
    """All state of one platform."""

    root: Path

    @property
    def lock(self) -> Path:
        """flock(2)ed by whoever may change anything here: a running supervisor, or a command with nothing running."""
        return self.root / "lock"

    @property
    def config_file(self) -> Path:
        return self.root / "mcp-platform.toml"

    @property
    def database(self) -> Path:
        return self.root / "platform.db"

    @property
    def control_socket(self) -> Path:
        """The CLI's door to control."""
        return self.root / "control.sock"

    @property
    def keys(self) -> Path:
        """Sealed keys, and the snapshot's public key; never the key-encryption key."""
        return self.root / "keys"

    @property
    def run(self) -> Path:
        """Unix sockets between our own processes; made anew at each start."""
        return self.root / "run"

    @property
    def snapshot(self) -> Path:
        return self.root / "snapshot"

    @property
    def unfinished(self) -> Path:
        """Where the first run builds everything; while it stands, nothing here has been promised to anybody."""
        return self.root / ".first-run"

    @property
    def limits(self) -> Path:
        """What the slow counters of limits stood at a moment ago."""
        return self.root / "limits"

    @property
    def tls(self) -> Path:
        """The development authority and the certificate that it vouches for."""
        return self.root / "tls"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def record_index(self) -> Path:
        """The journal in SQL, for searching. It can be removed: control builds it anew from the journal."""
        return self.root / "record.db"


def make_private(folder: Path) -> None:
    """Make `folder` with mode 0700, or set that mode on one that is there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a whole file with mode 0600, durably, so that a reader sees the old or the new one, never a part."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(handle, 0o600)
        with os.fdopen(handle, "wb", closefd=False) as stream:
            stream.write(content)
        os.fsync(handle)
    finally:
        os.close(handle)
    aside.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
