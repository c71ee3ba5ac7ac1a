"""Binds every socket of the platform, once, before anything is forked. What cannot be bound is one clear line."""

import errno
import socket
from dataclasses import dataclass

from mcp_platform.base.errors import Fault
from mcp_platform.net import local
from mcp_platform.net.inherit import Inherited
from mcp_platform.supervisor.errors import ADDRESS_UNAVAILABLE

BACKLOG = 4096
"""Connections that wait while a worker is replaced. Linux caps it at net.core.somaxconn, 4096 by default."""

_PORT_TRIES = 20
"""Port 0 on a name with several addresses: how often we look for a port that is free on all of them."""

_REASONS = {
    errno.EADDRINUSE: "another program uses it; stop that program or choose another port",
    errno.EACCES: "this user may not use it; choose a port above 1023",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EAFNOSUPPORT: "this machine has no such kind of address",
}
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the platform listens. A surface has one port, on each of its addresses."""

    gateway: int
    console: int
    gateway_addresses: tuple[str, ...]
    console_addresses: tuple[str, ...]


def _refusal(surface: str, address: str, port: int, reason: str, setting: str) -> Fault:
    detail = f"Cannot listen on {address} port {port} ({surface}.{setting}): {reason}."
    return Fault(ADDRESS_UNAVAILABLE, detail, {"setting": f"{surface}.{setting}", "address": address, "port": port})


def _addresses(surface: str, host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """All addresses that `host` stands for, in the resolver's order, each once."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise _refusal(surface, host, port, "the name does not resolve to an address", "host") from None
    return list(dict.fromkeys((family, str(where[0])) for family, _, _, _, where in found))


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_all(surface: str, addresses: list[tuple[socket.AddressFamily, str]], port: int) -> list[socket.socket]:
    """A socket on each address the machine has; with port 0 the others take the first one's port."""
    bound: list[socket.socket] = []
    try:
        for family, address in addresses:
            wanted = port or (bound[0].getsockname()[1] if bound else 0)
            try:
                bound.append(_bind(family, address, wanted))
            except OSError as error:
                if error.errno in _ABSENT and len(addresses) > 1:
                    continue
                reason = _REASONS.get(error.errno or 0, "the system refuses it")
                setting = "host" if error.errno in _ABSENT else "port"
                raise _refusal(surface, address, wanted, reason, setting) from error
        if not bound:
            raise _refusal(surface, addresses[0][1], port, _REASONS[errno.EADDRNOTAVAIL], "host")
    except Fault:
        for sock in bound:
            sock.close()
        raise
    return bound


def listen_tcp(surface: str, host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`. `surface` (gateway, console) names the settings in a refusal."""
    if not 0 <= port <= 65535:
        raise _refusal(surface, host, port, "a port is a number from 0 to 65535", "port")
    addresses = _addresses(surface, host, port)
    tries = _PORT_TRIES if port == 0 and len(addresses) > 1 else 1
    while True:
        tries -= 1
        try:
            return _bind_all(surface, addresses, port)
        except Fault:
            if tries <= 0:
                raise


def listen_unix(world: Inherited, workers: int) -> None:
    """The sockets between our own processes, and the CLI's door. The data folder's lock must be held."""
    data = world.data
    for leftover in data.run.iterdir():
        leftover.unlink()
    world.control = local.listen(data.control_socket)
    world.feed = local.listen(data.run / "feed.sock")
    world.broker = local.listen(data.run / "broker.sock")
    world.host = local.listen(data.run / "host.sock")
    world.owners = [local.listen(data.run / f"owner-{slot}.sock") for slot in range(workers)]


def ports_of(world: Inherited) -> Ports:
    names = {name: [sock.getsockname() for sock in getattr(world, name)] for name in ("gateway", "console")}
    return Ports(
        gateway=names["gateway"][0][1],
        console=names["console"][0][1],
        gateway_addresses=tuple(name[0] for name in names["gateway"]),
        console_addresses=tuple(name[0] for name in names["console"]),
    )
