"""Unix sockets in the data folder, however long its path is.

A Unix address holds 107 bytes; a folder deep in a home or a test run is longer. So we open the folder and name the
socket through /proc/self/fd, which is always short.
"""

import os
import socket
from pathlib import Path


def listen(path: Path, backlog: int = 1024) -> socket.socket:
    """A listening socket at `path`, mode 0600. What a dead platform left at `path` is removed first."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        old = os.umask(0o177)
        try:
            sock.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.umask(old)
        sock.listen(backlog)
    finally:
        os.close(folder)
    return sock


def connect(path: Path, timeout_s: float = 5.0) -> socket.socket:
    """A connected, blocking socket. Raises OSError when nobody listens at `path`."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.settimeout(timeout_s)
            sock.connect(f"/proc/self/fd/{folder}/{path.name}")
            sock.settimeout(None)
        except BaseException:
            sock.close()
            raise
    finally:
        os.close(folder)
    return sock
