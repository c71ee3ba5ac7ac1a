"""Who is this: from what the kernel says about a connection to the actor that the rest of control knows."""

import os
import socket

from mcp_platform.base.errors import Fault
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.net.frames import peer_uid
from mcp_platform.store.action import Actor
from mcp_platform.store.permission import Permission

SYSTEM = Actor(kind="system", id="system:control", permissions=frozenset(Permission))


def local_actor(uid: int) -> Actor:
    """Our own user and root may do everything: they could read the data folder as well. Raises Fault(forbidden)."""
    if uid not in (os.getuid(), 0):
        raise Fault(FORBIDDEN)
    return Actor(kind="local", id=f"local:{uid}", permissions=frozenset(Permission))


def actor_of(sock: socket.socket) -> Actor:
    """The actor at the other end of a Unix socket, by SO_PEERCRED. Raises Fault(forbidden)."""
    return local_actor(peer_uid(sock))
