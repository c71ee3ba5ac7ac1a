"""The lock on a data folder: one platform, or one command with nothing running, may change what is in it.

The supervisor's children inherit the open lock, so it is free only when the last process of a platform is gone.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from mcp_platform.base.errors import Fault, define

DATA_FOLDER_IN_USE = define(
    "data_folder_in_use",
    http=409,
    jsonrpc=-31574,
    text="A platform is running on this data folder; stop it, or use another folder.",
    whose="caller",
)

_STEP_S = 0.02


class FolderLock:
    """An flock(2) that is held until `release`, or until every process that inherited it has ended."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def take(cls, path: Path, wait_s: float = 0.0) -> "FolderLock":
        """Lock the file at `path`. Waits up to `wait_s` seconds, for what a killed platform leaves is gone in moments.

        Raises Fault(data_folder_in_use).
        """
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(handle, 16, 0).decode("ascii", "replace").strip()
                    os.close(handle)
                    raise Fault(DATA_FOLDER_IN_USE, data={"folder": str(path.parent), "pid": holder}) from None
                time.sleep(_STEP_S)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        return cls(handle)

    def release(self) -> None:
        """Close our copy. Never LOCK_UN: that would take the lock from children that still run."""
        with contextlib.suppress(OSError):
            os.close(self._handle)
