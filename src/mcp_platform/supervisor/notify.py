"""Tells systemd how far the start, a reload or the end is (sd_notify(3)). Does nothing where nobody asked."""

import contextlib
import os
import socket
import time


def notify(*assignments: str) -> None:
    """Send `READY=1`, `STOPPING=1` and the like to $NOTIFY_SOCKET. A manager that is gone is no reason to stop."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(1.0)
        sock.sendto("\n".join(assignments).encode(), address)


def ready() -> None:
    notify("READY=1", f"MAINPID={os.getpid()}")


def reloading() -> None:
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    notify("STOPPING=1")
