"""What a writer does to files, and the operating system doing it. Tests put a disk in its place that loses power."""

import fcntl
import os
from pathlib import Path
from typing import Protocol

from mcp_platform.base.folder import sync_folder


class File(Protocol):
    """One open segment file."""

    def write(self, data: bytes, at: int) -> None:
        """All of `data`, or OSError."""

    def sync(self) -> None:
        """Returns when what was written is on the disk."""

    def truncate(self, size: int) -> None: ...
    def close(self) -> None: ...


class Files(Protocol):
    """One folder's files."""

    def create(self, path: Path) -> File:
        """A new file, locked for as long as this process lives. Raises FileExistsError."""

    def rename(self, old: Path, new: Path) -> None: ...
    def remove(self, path: Path) -> None: ...
    def sync_folder(self, folder: Path) -> None: ...


class OsFile:
    """A file of the operating system."""

    __slots__ = ("_handle",)

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def write(self, data: bytes, at: int) -> None:
        done = os.pwrite(self._handle, data, at)
        while done < len(data):
            done += os.pwrite(self._handle, data[done:], at + done)

    def sync(self) -> None:
        os.fdatasync(self._handle)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._handle, size)

    def close(self) -> None:
        os.close(self._handle)


class OsFiles:
    """Files of the operating system."""

    def create(self, path: Path) -> OsFile:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        # Control may look for an instant whether the file's writer lives; so this waits rather than fails.
        fcntl.flock(handle, fcntl.LOCK_EX)
        return OsFile(handle)

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        sync_folder(folder)


def is_alive(path: Path) -> bool:
    """True while the process that writes this segment lives: it holds the lock. False where there is no such file."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
