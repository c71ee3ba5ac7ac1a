"""Syslog, RFC 5424: over UDP (RFC 5426), TCP with counted octets (RFC 6587) or a local socket.

None of these says whether a message was kept: whoever needs to know looks there.
"""

import contextlib
import errno
import os
import socket
from typing import Final

from mcp_platform.base import clock
from mcp_platform.base.config.anchor_place import Place
from mcp_platform.base.errors import Fault
from mcp_platform.control.anchor.errors import ANCHOR_FAILED

PRIORITY: Final = 13 * 8 + 5
"""Facility 13 (log audit), severity 5 (notice)."""
TIMEOUT_S: Final = 5.0


def message(line: bytes, host: str, at: float, process: int) -> bytes:
    """One message. The line is JSON in ASCII, so no byte order mark is due (RFC 5424 §6.4)."""
    name = "".join(c for c in host if "!" <= c <= "~")[:255] or "-"
    header = f"<{PRIORITY}>1 {clock.rfc3339(at)} {name} mcp-platform {process} checkpoint - "
    return header.encode("ascii") + line


def send(place: Place, line: bytes) -> None:
    """Blocks for TIMEOUT_S at most. Raises Fault(anchor_failed)."""
    content = message(line, socket.gethostname(), clock.now(), os.getpid())
    try:
        if place.kind == "syslog+unix":
            _to_socket(place.path, content)
        elif place.kind == "syslog+udp":
            _datagram(place, content)
        else:
            with socket.create_connection((place.host, place.port), TIMEOUT_S) as stream:
                stream.sendall(b"%d %b" % (len(content), content))
                _part(stream)
    except OSError as error:
        raise Fault(ANCHOR_FAILED, data={"stage": "syslog", "errno": error.errno}) from error


def _datagram(place: Place, content: bytes) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as sender:
        sender.settimeout(TIMEOUT_S)
        sender.connect(address)
        sender.send(content)


def _to_socket(path: str, content: bytes) -> None:
    """Most listen for datagrams; some for a stream, where a line break ends a message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(TIMEOUT_S)
        try:
            sender.connect(path)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:  # that one says: it is a stream
                raise
        else:
            sender.send(content)
            return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.settimeout(TIMEOUT_S)
        stream.connect(path)
        stream.sendall(content + b"\n")


def _part(stream: socket.socket) -> None:
    """Say that no more comes, and give the other side a moment: closing at once could throw away what is under way."""
    stream.shutdown(socket.SHUT_WR)
    stream.settimeout(1.0)
    with contextlib.suppress(TimeoutError):
        while stream.recv(4096):
            pass
