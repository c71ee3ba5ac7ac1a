"""Something that is measured: where it listens, which processes it is, and with what credentials it is called."""

import socket
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """Stands on 127.0.0.1; its processes run on the measured core."""

    name: str
    port: int
    pids: list[int]
    """All of its processes."""
    credentials: tuple[str, ...]
    """Values of `Authorization`; none where nobody asks."""
    tls: bool = False
    legacy: bool = False
    """Speaks 2025-11-25 and wants no session."""


def until_open(port: int, timeout_s: float = 30.0) -> None:
    """Return when something listens at `port`."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
