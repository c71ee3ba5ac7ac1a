"""Every setting, grouped by topic. The reference page is generated from here; a field's docstring is its text.

Under 60 settings in all. A default is the strict choice.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Gateway:
    """The agents' surface."""

    host: str = "127.0.0.1"
    """Address to listen on: an IPv4 or IPv6 address, or a name that resolves to some."""
    port: int = 8080
    """TCP port; 0 lets the system choose."""
    public_url: str | None = None
    """How agents reach it from outside, for example `https://mcp.example.com`. None: `http://HOST:PORT`."""
    allowed_hosts: tuple[str, ...] = ()
    """Further values of the Host header that are answered, beside public_url and the listening address."""
    allowed_origins: tuple[str, ...] = ()
    """Browser origins that may call, exact: scheme, host and port. None may by default."""
    workers: int = 0
    """Gateway processes. 0: one per core."""


@dataclass(frozen=True, slots=True)
class Console:
    """The people's surface."""

    host: str = "127.0.0.1"
    """Address to listen on. Loopback unless you say otherwise."""
    port: int = 8081
    """TCP port; 0 lets the system choose."""
    public_url: str | None = None
    """How people reach it. None: `http://HOST:PORT`."""


@dataclass(frozen=True, slots=True)
class Http:
    """Ceilings and time-outs towards whoever connects, on every listener."""

    max_request_line_bytes: int = 8192
    """Bytes of the request line. RFC 9110 §4.1 recommends at least 8000."""
    max_header_bytes: int = 32768
    """Bytes of all header lines together. Apache and nginx take 8 KiB a line; 32 KiB leaves room for long tokens."""
    max_headers: int = 100
    """Header lines in a request. Apache's and Go's default order of magnitude."""
    max_body_bytes: int = 4194304
    """Bytes of a request body."""
    header_timeout_s: float = 10.0
    """Seconds from the first byte of a request to the end of its headers."""
    body_timeout_s: float = 30.0
    """Seconds from the end of the headers to the end of the body."""
    idle_timeout_s: float = 75.0
    """Seconds a kept-alive connection may be silent between requests."""
    write_timeout_s: float = 30.0
    """Seconds a reader may take nothing of what is waiting for it."""
    max_connections: int = 8192
    """Open connections over all workers."""
    max_connections_per_address: int = 1024
    """Open connections from one IPv4 address or one IPv6 /64, over all workers."""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Towards MCP servers."""

    connect_timeout_s: float = 5.0
    """Seconds to resolve, connect and finish TLS."""
    call_timeout_s: float = 60.0
    """Seconds a call may be silent before it is given up; a server may have its own."""
    max_call_s: float = 3600.0
    """Seconds after which a call ends whatever its progress says."""
    max_result_bytes: int = 16777216
    """Bytes of one answer."""
    max_connections: int = 256
    """Connections of one worker to one upstream."""
    start_timeout_s: float = 30.0
    """Seconds a stdio server may take from its start to its first answer."""
    max_processes: int = 64
    """Stdio processes at once on this node."""
    process_idle_s: float = 600.0
    """Seconds after which an unused process that belongs to one principal is stopped."""
    isolation: str = "none"
    """How stdio servers are confined. This version knows only `none`. Warning: this allows a stdio server to do
    whatever the platform's own user may do."""
    require_isolation: bool = False
    """True refuses to start any stdio server while isolation is `none`."""
    credential_cache_s: float = 300.0
    """Seconds a worker keeps an upstream's credentials in memory."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How the gateway follows control."""

    heartbeat_s: float = 1.0
    """Seconds between signed heartbeats."""
    max_silence_s: float = 900.0
    """Seconds the gateway serves on without a heartbeat, then it refuses."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls that wait for somebody."""

    max_parked_per_principal: int = 16
    """Calls of one principal that wait for an answer to a question of their server."""
    parked_ttl_s: float = 300.0
    """Seconds a parked call waits for its answer."""
    session_ttl_s: float = 86400.0
    """Seconds a legacy session id is good for after its last use was sealed."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The platform's own processes."""

    drain_s: float = 20.0
    """Seconds in-flight calls get to finish on SIGTERM."""
    log_level: str = "info"
    """debug, info, warning or error."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Keys."""

    kek_file: str | None = None
    """File with the key-encryption key. None: `~/.config/mcp-platform/<platform id>.kek`. Keep it out of backups of
    the data folder."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration of one platform."""

    gateway: Gateway = field(default_factory=Gateway)
    console: Console = field(default_factory=Console)
    http: Http = field(default_factory=Http)
    upstreams: Upstreams = field(default_factory=Upstreams)
    snapshot: Snapshot = field(default_factory=Snapshot)
    calls: Calls = field(default_factory=Calls)
    processes: Processes = field(default_factory=Processes)
    vault: Vault = field(default_factory=Vault)
