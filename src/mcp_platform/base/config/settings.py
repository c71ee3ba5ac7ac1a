"""Every setting, grouped by topic. The reference page is generated from here; a field's docstring is its text.

Under 60 settings in all. A default is the strict choice. What a value may be stands in its type: the loader
checks it, the reference prints it.
"""

from dataclasses import dataclass, field
from typing import Annotated

from mcp_platform.base.config.values import AuthorityForm, Choice, HostForm, OriginForm, PathForm, Range, UrlForm

Port = Annotated[int, Range(0, 65535)]
Count = Annotated[int, Range(1, 1_000_000)]
"""Up to a million of anything: more is a typing mistake."""
Bytes = Annotated[int, Range(1024, 1 << 30)]
"""1 KiB to 1 GiB: below it nothing works, above it one request fills a small machine."""
Seconds = Annotated[float, Range(0.05, 31_536_000)]
"""50 ms to a year: below it no machine keeps up, above it it is no time-out."""
Host = Annotated[str, HostForm()]
Url = Annotated[str, UrlForm()]
Authority = Annotated[str, AuthorityForm()]
BrowserOrigin = Annotated[str, OriginForm()]
FilePath = Annotated[str, PathForm()]
Isolation = Annotated[str, Choice(("none",))]
LogLevel = Annotated[str, Choice(("debug", "info", "warning", "error"))]


@dataclass(frozen=True, slots=True)
class Gateway:
    """The agents' surface."""

    host: Host = "127.0.0.1"
    """Address to listen on: an IPv4 or IPv6 address, or a name that resolves to some."""
    port: Port = 8080
    """TCP port; 0 lets the system choose."""
    public_url: Url | None = None
    """How agents reach it from outside, for example `https://mcp.example.com`. None: `http://HOST:PORT`."""
    allowed_hosts: tuple[Authority, ...] = ()
    """Further values of the Host header that are answered, beside public_url and the listening address."""
    allowed_origins: tuple[BrowserOrigin, ...] = ()
    """Browser origins that may call, exact: scheme, host and port. None may by default."""
    workers: Annotated[int, Range(0, 256)] = 0
    """Gateway processes. 0: one per core."""


@dataclass(frozen=True, slots=True)
class Console:
    """The people's surface."""

    host: Host = "127.0.0.1"
    """Address to listen on. Loopback unless you say otherwise."""
    port: Port = 8081
    """TCP port; 0 lets the system choose."""
    public_url: Url | None = None
    """How people reach it. None: `http://HOST:PORT`."""


@dataclass(frozen=True, slots=True)
class Http:
    """Ceilings and time-outs towards whoever connects, on every listener."""

    max_request_line_bytes: Bytes = 8192
    """Bytes of the request line. RFC 9110 §4.1 recommends at least 8000."""
    max_header_bytes: Bytes = 32768
    """Bytes of all header lines together. Apache and nginx take 8 KiB a line; 32 KiB leaves room for long tokens."""
    max_headers: Count = 100
    """Header lines in a request. Apache's and Go's default order of magnitude."""
    max_body_bytes: Bytes = 4194304
    """Bytes of a request body."""
    header_timeout_s: Seconds = 10.0
    """Seconds from the first byte of a request to the end of its headers."""
    body_timeout_s: Seconds = 30.0
    """Seconds from the end of the headers to the end of the body."""
    idle_timeout_s: Seconds = 75.0
    """Seconds a kept-alive connection may be silent between requests."""
    write_timeout_s: Seconds = 30.0
    """Seconds a reader may take nothing of what is waiting for it."""
    max_connections: Count = 8192
    """Open connections over all workers."""
    max_connections_per_address: Count = 1024
    """Open connections from one IPv4 address or one IPv6 /64, over all workers."""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Towards MCP servers."""

    connect_timeout_s: Seconds = 5.0
    """Seconds to resolve, connect and finish TLS."""
    call_timeout_s: Seconds = 60.0
    """Seconds a call may be silent before it is given up; a server may have its own."""
    max_call_s: Seconds = 3600.0
    """Seconds after which a call ends whatever its progress says."""
    max_result_bytes: Bytes = 16777216
    """Bytes of one answer."""
    max_connections: Count = 256
    """Connections of one worker to one upstream."""
    start_timeout_s: Seconds = 30.0
    """Seconds a stdio server may take from its start to its first answer."""
    max_processes: Count = 64
    """Stdio processes at once on this node."""
    process_idle_s: Seconds = 600.0
    """Seconds after which an unused process that belongs to one principal is stopped."""
    isolation: Isolation = "none"
    """How stdio servers are confined. This version knows only `none`. Warning: this allows a stdio server to do
    whatever the platform's own user may do."""
    require_isolation: bool = False
    """True refuses to start any stdio server while isolation is `none`."""
    credential_cache_s: Annotated[float, Range(0, 86_400)] = 300.0
    """Seconds a worker keeps an upstream's credentials in memory."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How the gateway follows control."""

    heartbeat_s: Seconds = 1.0
    """Seconds between signed heartbeats."""
    max_silence_s: Seconds = 900.0
    """Seconds the gateway serves on without a heartbeat, then it refuses."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls that wait for somebody."""

    max_parked_per_principal: Count = 16
    """Calls of one principal that wait for an answer to a question of their server."""
    parked_ttl_s: Seconds = 300.0
    """Seconds a parked call waits for its answer."""
    session_ttl_s: Seconds = 86400.0
    """Seconds a legacy session id is good for after its last use was sealed."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The platform's own processes."""

    drain_s: Annotated[float, Range(0, 3600)] = 20.0
    """Seconds in-flight calls get to finish on SIGTERM."""
    log_level: LogLevel = "info"
    """debug, info, warning or error."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Keys."""

    kek_file: FilePath | None = None
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
