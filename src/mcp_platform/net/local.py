"""Unix sockets in the data folder, however long its path is.

A Unix address holds 107 bytes; a folder deep in a home or a test run is longer. Then we open the folder and name the
socket through /proc/self/fd, which is always short. (Not always: a process that is not dumpable and not root may not
look into its own /proc/self/fd.)
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_ADDRESS_BYTES = 107
"""Bytes of sockaddr_un's path on Linux, less its end (unix(7))."""


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """A name of at most 107 bytes for `path`, good inside the block."""
    if len(os.fsencode(path)) <= MAX_ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path, backlog: int = 1024) -> socket.socket:
    """A listening socket at `path`, mode 0600. What a dead platform left at `path` is removed first."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    old = os.umask(0o177)
    try:
        with _address(path) as address:
            sock.bind(address)
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(old)
    sock.listen(backlog)
    return sock


def connect(path: Path, timeout_s: float = 5.0) -> socket.socket:
    """A connected, blocking socket. Raises OSError when nobody listens at `path`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.settimeout(timeout_s)
        with _address(path) as address:
            sock.connect(address)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock
