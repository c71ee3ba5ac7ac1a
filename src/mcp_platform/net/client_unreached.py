"""What an operator is told of an upstream that could not be reached: the address, how far it went, the system's reason.

Agents learn none of it: where a server stands is not their business (see gateway/answers.py).
"""

import errno
import os
import socket

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN

_EAI = {getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")}
_log = Log(__name__)


def unresolved(host: str, error: Exception) -> Fault:
    """The name of an upstream has no address."""
    if isinstance(error, socket.gaierror):
        reason = _EAI.get(error.errno or 0, "EAI_FAIL")
    else:
        reason = "ETIMEDOUT" if isinstance(error, TimeoutError) else "EAI_NONAME"  # a name that is none: UnicodeError
    text = f"The name {host} cannot be resolved ({reason}); check the URL and the DNS."
    return Fault(UPSTREAM_DOWN, text, {"stage": "resolve", "reason": reason, "host": host})


def unreached(address: str, error: OSError, *, tls: bool) -> Fault:
    """No connection to `address`, host and port. `tls`: a handshake was to follow."""
    number = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno or _number(error)
    reason = errno.errorcode.get(number, "EIO")
    says = os.strerror(number)
    # A handshake that takes too long, or that the other side gives up, ends so; a closed port refuses.
    if tls and isinstance(error, ConnectionAbortedError | ConnectionResetError):
        text = f"No TLS connection came about with {address}: {says}."
        return Fault(UPSTREAM_DOWN, text, {"stage": "tls", "reason": reason, "address": address})
    text = f"Nothing answers at {address}: {says}."
    return Fault(UPSTREAM_DOWN, text, {"stage": "connect", "reason": reason, "address": address})


def tell(fault: Fault, upstream: str) -> None:
    """A line in the log; `upstream` is what its URL names."""
    _log.warning("upstream_unreachable", **fault.data, upstream=upstream, text=fault.text)


def _number(error: OSError) -> int:
    """The loop raises some without a number."""
    kinds: dict[type[OSError], int] = {
        ConnectionRefusedError: errno.ECONNREFUSED,
        ConnectionResetError: errno.ECONNRESET,
        ConnectionAbortedError: errno.ECONNABORTED,
    }
    return kinds.get(type(error), errno.EIO)
