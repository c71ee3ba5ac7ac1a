"""Upstream MCP servers and what they offer, as a worker knows it. No secret stands here."""

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
    era: str = ""
    """`legacy` or `modern`, as last seen; a worker finds out for itself what it speaks."""
    capabilities: bytes = b"{}"
    """What the server says it can do, as last seen: JSON object."""
    server_info: bytes = b"{}"
    """Name and version as the server claims them: JSON object."""
    instructions: str = ""
    """What the server tells its clients about itself."""
    stale: str = ""
    """Empty: the lists are fresh. Else the stable code of the error for which they are the last good ones."""


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


class PromptRow(msgspec.Struct, frozen=True, array_like=True):
    """One prompt."""

    upstream: str
    """Upstream id."""
    server: str
    """Upstream name, as roles and records call it."""
    name: str
    """The upstream's own name for the prompt."""
    exposed: str
    """The name agents see: assigned once, never given to another."""
    definition: bytes
    """The prompt object as the upstream sent it, verbatim but for `name`: JSON."""
    definition_hash: str
    """SHA-256 over the canonical definition, hex."""


class ResourceRow(msgspec.Struct, frozen=True, array_like=True):
    """One resource that its server lists."""

    upstream: str
    server: str
    uri: str
    """The upstream's own URI for the resource."""
    exposed: str
    """The URI agents see: assigned once, never given to another server."""
    definition: bytes
    """The resource object as the upstream sent it, verbatim but for `uri`: JSON."""
    definition_hash: str


class TemplateRow(msgspec.Struct, frozen=True, array_like=True):
    """One resource template (RFC 6570)."""

    upstream: str
    server: str
    template: str
    """The upstream's own `uriTemplate`."""
    exposed: str
    """The template agents see: assigned once, never given to another server."""
    definition: bytes
    """The template object as the upstream sent it, verbatim but for `uriTemplate`: JSON."""
    definition_hash: str
