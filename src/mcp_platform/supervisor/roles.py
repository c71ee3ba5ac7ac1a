"""The table of our processes: what each runs, what it keeps of what the supervisor made, and when it ends."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of process."""

    name: str
    entry: str
    """`module:function`, called with the Inherited (and the slot, where the role has slots); it returns when done."""
    keeps: frozenset[str] = frozenset()
    """Fields of Inherited that the role serves; every other socket is closed in it."""
    holds_secret: bool = False
    """Whether worker_secret stays; it is wiped in every other process."""
    warm: bool = False
    """Whether the module is imported once, before the fork. False where the others must not carry what it imports."""
    slots: bool = False
    """Whether there is one process per worker slot."""
    contained: bool = False
    """Whether it starts programs that are not ours, which must never outlive it."""
    drains: bool = False
    """Whether processes.drain_s is its time to end; the others get a few seconds."""
    surface: str | None = None
    """The surface (gateway, console) on which GET /readyz says that it serves."""
    topics: frozenset[str] = frozenset()
    """Topics of the settings that it reads: it is replaced when a reload changes one of them."""


CONTROL = Role(
    name="control",
    entry="mcp_platform.control.process:run",
    keeps=frozenset({"console", "control", "feed", "broker"}),
    surface="console",
    topics=frozenset({"gateway", "console", "tls", "http", "upstreams", "snapshot", "processes", "vault"}),
)
UPSTREAM_HOST = Role(
    name="upstream-host",
    entry="mcp_platform.upstream_host.process:run",
    keeps=frozenset({"host"}),
    warm=True,
    contained=True,
    drains=True,
    topics=frozenset({"upstreams", "processes"}),
)
WORKER = Role(
    name="worker",
    entry="mcp_platform.gateway.process:run",
    keeps=frozenset({"gateway", "operations", "owners", "gate", "meter"}),
    holds_secret=True,
    warm=True,
    slots=True,
    drains=True,
    surface="gateway",
    topics=frozenset({"gateway", "tls", "http", "upstreams", "snapshot", "calls", "processes"}),
)

ROLES = (CONTROL, UPSTREAM_HOST, WORKER)
"""In the order in which they start. They end in the opposite order: first who serves, last who is asked."""
