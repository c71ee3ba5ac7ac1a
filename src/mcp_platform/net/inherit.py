"""What the supervisor makes once and every process it forks inherits: sockets, shared memory, a lifeline.

Sockets live longer than the process that serves them, so a worker's death resets no queued connection.
"""

import socket
from dataclasses import dataclass, field

from mcp_platform.base.config import Settings
from mcp_platform.base.folder import DataFolder
from mcp_platform.net.gate import Gate


@dataclass(slots=True)
class Inherited:
    """The world of a forked process."""

    data: DataFolder
    settings: Settings
    gateway: list[socket.socket] = field(default_factory=list)
    """Listening TCP sockets of the agents' surface; all workers accept from them."""
    console: list[socket.socket] = field(default_factory=list)
    """Listening TCP sockets of the people's surface; control accepts from them."""
    operations: list[socket.socket] = field(default_factory=list)
    control: socket.socket | None = None
    """Listening Unix socket of the CLI."""
    feed: socket.socket | None = None
    """Listening Unix socket where control tells workers of snapshots."""
    broker: socket.socket | None = None
    """Listening Unix socket where control hands out what a call needs in plaintext."""
    host: socket.socket | None = None
    """Listening Unix socket of the upstream-host."""
    owners: list[socket.socket] = field(default_factory=list)
    """Listening Unix socket of each worker slot, for requests whose state lives there."""
    gate: Gate | None = None
    """Connection counts over all workers, in shared memory; a worker joins it with its slot."""
    meter: int = -1
    """Memory of the limits' counters, shared by the workers: an open memfd."""
    lifeline: int = -1
    """Read end of a pipe whose write end only the supervisor holds: at end of file the supervisor is gone."""
    worker_secret: bytearray = field(default_factory=bytearray)
    """64 bytes for gateway workers only: 32 for the MAC of API keys, 32 to seal ids. Wiped in every other process."""
