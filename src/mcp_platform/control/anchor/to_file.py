"""A file, on another disk or a mount that can only be appended to: one line for each checkpoint, synced."""

import os

from mcp_platform.base.config.anchor_place import Place
from mcp_platform.base.errors import Fault
from mcp_platform.control.anchor.errors import ANCHOR_FAILED


def append(place: Place, line: bytes) -> None:
    """Returns when the line is on the disk. Raises Fault(anchor_failed)."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(place.path, flags, 0o600)
        try:
            content = line + b"\n"
            if os.write(handle, content) != len(content):
                raise OSError("the disk took only a part of it")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise Fault(ANCHOR_FAILED, data={"stage": "file", "errno": error.errno}) from error
