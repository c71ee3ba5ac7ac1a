"""Every setting, grouped by topic. The reference page is generated from here; a field's docstring is its text.

Under 60 settings in all. A default is the strict choice. What a value may be stands in its type: the loader
checks it, the reference prints it.
"""

from dataclasses import dataclass, field
from typing import Annotated

from mcp_platform.base.config.anchor_place import PlaceForm
from mcp_platform.base.config.values import (
    AuthorityForm,
    Choice,
    HostForm,
    NetworkForm,
    OriginForm,
    PathForm,
    Range,
    UrlForm,
)

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
ProxyNetwork = Annotated[str, NetworkForm()]
ProxyHeader = Annotated[str, Choice(("x-forwarded-for", "forwarded"))]
AnchorPlace = Annotated[str, PlaceForm()]
Isolation = Annotated[str, Choice(("none",))]
TlsVersion = Annotated[str, Choice(("1.3", "1.2"))]
Durability = Annotated[str, Choice(("strict", "group", "relaxed"))]
ContentPolicy = Annotated[str, Choice(("none", "hashed", "redacted", "full"))]
LogLevel = Annotated[str, Choice(("debug", "info", "warning", "error"))]


@dataclass(frozen=True, slots=True)
class Gateway:
    """The agents' surface."""

    host: Host = "127.0.0.1"
    """Address to listen on: an IPv4 or IPv6 address, or a name that resolves to some. Loopback by default; another
    one needs tls_certificate, or tls.terminated_by_proxy."""
    port: Port = 8080
    """TCP port; 0 lets the system choose."""
    public_url: Url | None = None
    """How agents reach it from outside, for example `https://mcp.example.com`. None: `http://HOST:PORT`, or `https://`
    with tls_certificate."""
    tls_certificate: FilePath | None = None
    """PEM file with the certificate and the chain above it. None: no TLS here. A new pair is taken within seconds."""
    tls_key: FilePath | None = None
    """PEM file with the certificate's key, without a passphrase; yours alone (0600). None: no TLS here."""
    allowed_hosts: tuple[Authority, ...] = ()
    """Further values of the Host header that are answered, beside public_url and the listening address."""
    allowed_origins: tuple[BrowserOrigin, ...] = ()
    """Browser origins that may call, exact: scheme, host and port. None may by default."""
    trusted_proxies: tuple[ProxyNetwork, ...] = ()
    """Addresses or networks (CIDR) of proxies in front, whose word for the client's address is taken: the right-most
    address in proxy_header that is not among these. None: the header is not read, and the client is who connects."""
    proxy_header: ProxyHeader = "x-forwarded-for"
    """The header in which those proxies say who connected to them: `x-forwarded-for` or `forwarded` (RFC 7239). The
    other one is not read: a proxy passes on what it does not write."""
    workers: Annotated[int, Range(0, 256)] = 0
    """Gateway processes. 0: one per core that this process may use."""


@dataclass(frozen=True, slots=True)
class Console:
    """The people's surface."""

    host: Host = "127.0.0.1"
    """Address to listen on. Loopback unless you say otherwise."""
    port: Port = 8081
    """TCP port; 0 lets the system choose."""
    public_url: Url | None = None
    """How people reach it. None: `http://HOST:PORT`, or `https://` with tls_certificate."""
    tls_certificate: FilePath | None = None
    """As gateway.tls_certificate. None: no TLS here."""
    tls_key: FilePath | None = None
    """As gateway.tls_key. None: no TLS here."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Encryption towards whoever connects, on every listener that has a certificate."""

    minimum: TlsVersion = "1.3"
    """The oldest version spoken: `1.3` (Mozilla's modern profile) or `1.2` (its intermediate one, for clients that are
    older than 2018)."""
    terminated_by_proxy: bool = False
    """True says that a proxy in front speaks TLS, and lets a surface without a certificate listen on an address that is
    not loopback. Warning: this allows keys to travel in the clear between that proxy and the platform."""


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
    """Bytes of a request body. 4 MiB is what servers made with the official TypeScript SDK take at most."""
    header_timeout_s: Seconds = 10.0
    """Seconds from the first byte of a request to the end of its headers. The slowest line sends 32 KiB in less; who
    takes longer holds a connection on purpose."""
    body_timeout_s: Seconds = 30.0
    """Seconds from the end of the headers to the end of the body: 4 MiB at 1.2 Mbit/s."""
    idle_timeout_s: Seconds = 75.0
    """Seconds a kept-alive connection may be silent between requests. As nginx: longer than proxies keep theirs idle
    (60), so that they close first."""
    write_timeout_s: Seconds = 30.0
    """Seconds a reader may take nothing of what is waiting for it; then its connection is cut."""
    max_connections: Count = 8192
    """Open connections over all workers. Each costs a file descriptor and some KiB."""
    max_connections_per_address: Count = 1024
    """Open connections from one IPv4 address or one IPv6 /64, over all workers: a whole office behind one address
    fits, and one address alone cannot fill the platform. Behind a proxy, all come from its address."""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Towards MCP servers."""

    connect_timeout_s: Seconds = 5.0
    """Seconds to resolve, connect and finish TLS. TCP repeats its first packet after 1 and 3 seconds: two may
    get lost."""
    call_timeout_s: Seconds = 60.0
    """Seconds a call may be silent before it is given up, as the official SDKs' clients do; a server may have its own
    (`server add --call-timeout`)."""
    max_call_s: Seconds = 3600.0
    """Seconds after which a call ends whatever its progress says: nobody waits longer than an hour for an answer."""
    max_result_bytes: Bytes = 16777216
    """Bytes of one answer. It is held in memory until it is checked: this times the calls under way must fit."""
    max_connections: Count = 256
    """Connections of one worker to one upstream; further calls wait a while for one to become free. At most half are
    streams that stand open: one for each principal who may be asked there, and for whoever listens."""
    start_timeout_s: Seconds = 30.0
    """Seconds a stdio server may take from its start to its first answer: `uvx` and `npx` fetch it
    at the first start. One that writes only what is no message has a third of it."""
    max_processes: Count = 64
    """Stdio processes at once on this node. Each takes some tens of megabytes."""
    process_idle_s: Seconds = 600.0
    """Seconds after which an unused process that belongs to one principal is stopped."""
    refresh_s: Seconds = 300.0
    """Seconds, about, between two lists of all that a server over HTTP offers, whether it announced a change or not; a
    tenth of it between two questions whether it is there. One that is not is asked after 2 seconds, then later and
    later. A stdio server is listed at the platform's start, when it announces a change, and when you ask."""
    isolation: Isolation = "none"
    """How stdio servers are confined. This version knows only `none`. Warning: this allows a stdio server to do
    whatever the platform's own user may do."""
    require_isolation: bool = False
    """True refuses to start any stdio server while isolation is `none`."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How the gateway follows control."""

    heartbeat_s: Seconds = 1.0
    """Seconds between signed heartbeats, which tell workers that what they know is still the newest."""
    max_silence_s: Seconds = 900.0
    """Seconds the gateway serves on without a heartbeat, then it refuses. 15 minutes: long enough to repair control,
    short enough that a worker that is cut off does not take revoked keys for a day."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls that wait for somebody."""

    max_parked_per_principal: Count = 16
    """Calls of one principal that wait for an answer to a question of their server. Each holds memory and a place at
    the upstream."""
    parked_ttl_s: Seconds = 300.0
    """Seconds a parked call waits for its answer: a person has to read and decide. As long is kept what a legacy
    client missed of a stream whose connection it lost."""
    session_ttl_s: Seconds = 86400.0
    """Seconds a legacy session id is good for after `initialize`, used or not: the id itself says when it was made."""
    max_streams_per_principal: Count = 4096
    """Event streams of one principal that are open at once and belong to no call: GET, `subscriptions/listen`,
    `/sse`. Each holds a connection and some KiB."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The platform's own processes."""

    drain_s: Annotated[float, Range(0, 3600)] = 20.0
    """Seconds in-flight calls get to finish on SIGTERM, then they are cut. Kubernetes kills after 30,
    systemd after 90."""
    log_level: LogLevel = "info"
    """The least that is logged: debug, info, warning or error."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Keys."""

    kek_file: FilePath | None = None
    """File with the key-encryption key. None: `~/.config/mcp-platform/<platform id>.kek`. Keep it out of backups of
    the data folder."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The record of every call, refusal and change."""

    durability: Durability = "group"
    """When a call may go on. `strict`: its intent is on the disk before any tool not marked read-only is called, its
    outcome before the answer is released. `group`: the intent outlives a killed process, the outcome is on the disk.
    `relaxed`: both outlive a killed process. Warning: this allows a power cut to take the last 100 ms of records."""
    content: ContentPolicy = "hashed"
    """What is recorded of arguments and results: `none`; `hashed` (recognisable with the subject's key); `redacted`
    (encrypted with it, secrets taken out); `full` (encrypted with it). Warning: `full` allows whoever holds the
    platform's keys to read all that passes."""
    segment_bytes: Annotated[int, Range(65536, 1 << 30)] = 67108864
    """Bytes after which a segment is sealed and compressed."""
    segment_age_s: Annotated[float, Range(1, 86_400)] = 3600.0
    """Seconds after which a segment is sealed whatever its size."""
    reserve_bytes: Annotated[int, Range(65536, 1 << 30)] = 4194304
    """Bytes each process keeps filled ahead on the disk, so that a full disk still takes the outcomes of calls under
    way."""
    stall_s: Annotated[float, Range(0.1, 60)] = 10.0
    """Seconds the disk may take for one sync; longer, and calls are refused until it is back."""
    retention_bytes: Annotated[int, Range(1 << 20, 1 << 50)] = 68719476736
    """Bytes of sealed segments that are kept (64 GiB); beyond them the oldest are removed, and a signed record says
    so."""
    retention_days: Annotated[float, Range(0.01, 36_500)] = 365.0
    """Days sealed segments are kept."""
    checkpoint_s: Annotated[float, Range(0.05, 60)] = 1.0
    """Seconds between two signed checkpoints over all that was written."""
    max_lag_s: Annotated[float, Range(0.2, 60)] = 2.0
    """Seconds after which a record is to be found by `audit search`; `doctor` says when it takes longer."""
    anchors: tuple[AnchorPlace, ...] = ()
    """Places outside this machine's reach to which the newest checkpoint is taken: `file:/path`,
    `syslog+udp://host:514`, `syslog+tcp://host:601`, `syslog+unix:/dev/log`,
    `s3+https://endpoint/bucket/prefix?region=NAME&credentials=/path`. Warning: none allows whoever takes over this
    machine to cut off the newest records unnoticed."""
    anchor_s: Annotated[float, Range(1, 86_400)] = 60.0
    """Seconds between two checkpoints taken there: what was recorded since the last can be cut off unnoticed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration of one platform."""

    gateway: Gateway = field(default_factory=Gateway)
    console: Console = field(default_factory=Console)
    tls: Tls = field(default_factory=Tls)
    http: Http = field(default_factory=Http)
    upstreams: Upstreams = field(default_factory=Upstreams)
    snapshot: Snapshot = field(default_factory=Snapshot)
    calls: Calls = field(default_factory=Calls)
    processes: Processes = field(default_factory=Processes)
    vault: Vault = field(default_factory=Vault)
    journal: Journal = field(default_factory=Journal)
