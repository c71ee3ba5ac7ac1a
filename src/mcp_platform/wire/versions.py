"""The revisions of MCP and what tells them apart.

Legacy: 2025-11-25 and earlier, opened by `initialize`. Modern: 2026-07-28, every request stands alone.
"""

MODERN = "2026-07-28"
MODERN_VERSIONS: tuple[str, ...] = (MODERN,)
LATEST_LEGACY = "2025-11-25"
LEGACY_VERSIONS: tuple[str, ...] = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
ASSUMED = "2025-03-26"
"""What a legacy request without a version header speaks (2025-11-25, basic/transports)."""

RESUMABLE = "2025-03-26"
"""Since when a client may come back to a stream with the id of the last event it saw."""
PRIMED = "2025-11-25"
"""Since when a stream begins with an event that has an id and nothing else, so that there is one to come back with."""

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo"
LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel"
SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"
SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"


def is_modern(version_header: str | None) -> bool:
    """Whether a request with this `MCP-Protocol-Version` is handled statelessly.

    An unknown version goes to the modern side too, because only that side can answer -32022 with what is served.
    """
    return version_header is not None and version_header not in LEGACY_VERSIONS


def negotiate(requested: str) -> str:
    """The legacy version that `initialize` answers: the one asked for when we speak it, else our latest legacy one."""
    return requested if requested in LEGACY_VERSIONS else LATEST_LEGACY


def input_errors_are_results(version: str) -> bool:
    """Whether bad tool arguments are answered as a tool result with isError (SEP-1303, since 2025-11-25), so that
    a model can correct itself, or as JSON-RPC error -32602 (before)."""
    return version >= "2025-11-25"
