"""Upstream MCP servers and their tools as a worker knows them. No secret stands here."""

import msgspec


class UpstreamRow(msgspec.Struct, frozen=True, array_like=True):
    """One upstream server."""

    id: str
    name: str
    transport: str
    """`http` or `stdio`."""
    url: str | None
    """Only for `http`."""
    version: int
    """Grows with each change of address, command, secrets or options: what was opened under an older one is closed."""
    has_credentials: bool
    """True where the broker must be asked for headers before a call."""
    interactive: bool
    """True where the server may ask its client (elicitation, sampling, roots): such processes and sessions belong to
    one (principal, capability set). False: one shared process or session that is told of no client capability."""
    call_timeout_s: float
    max_result_bytes: int
    enabled: bool = True


class ToolRow(msgspec.Struct, frozen=True, array_like=True):
    """One approved tool."""

    upstream: str
    """Upstream id."""
    server: str
    """Upstream name, as roles and records call it."""
    name: str
    """The upstream's own name for the tool."""
    exposed: str
    """The name agents see: assigned once, never given to another."""
    definition: bytes
    """The tool object as the upstream sent it, verbatim but for `name`: JSON."""
    definition_hash: str
    """SHA-256 over the canonical definition as approved, hex."""
    input_schema: bytes
    """JSON, verbatim."""
    read_only: bool = False
    """True where an administrator said that calling it changes nothing."""
