"""Which era an upstream speaks, told from how it answers `server/discover` (2026-07-28, basic/versioning).

Only positive evidence says modern; everything else is tried with `initialize`, whatever the error's code.
"""

from dataclasses import dataclass

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE
from mcp_platform.wire import versions

MODERN = "modern"
LEGACY = "legacy"

_RECOGNISED = frozenset({-32020, -32021})
"""Errors that only a modern server gives: HeaderMismatch, MissingRequiredClientCapability."""
_VERSION_UNSUPPORTED = -32022
MAX_INSTRUCTIONS = 65536
"""Characters. Guidance speaks of a few hundred words; a model's context is somebody's money."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of an upstream after its first answer."""

    era: str
    version: str
    server_info: bytes = b"{}"
    """JSON object: name and version as the server claims them."""
    capabilities: bytes = b"{}"
    instructions: str = ""
    """What the server tells a model about itself, cut at MAX_INSTRUCTIONS."""


class _Discovered(msgspec.Struct):
    supportedVersions: list[str]
    capabilities: msgspec.Raw = msgspec.Raw(b"{}")
    instructions: msgspec.Raw = msgspec.Raw(b"null")
    meta: dict[str, msgspec.Raw] = msgspec.field(name="_meta", default_factory=dict)


class _Supported(msgspec.Struct):
    supported: list[str] = []


class _Error(msgspec.Struct):
    code: int
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Initialized(msgspec.Struct):
    protocolVersion: str
    capabilities: msgspec.Raw = msgspec.Raw(b"{}")
    serverInfo: msgspec.Raw = msgspec.Raw(b"{}")
    instructions: msgspec.Raw = msgspec.Raw(b"null")


def of_discover(answer: Answer) -> Found | None:
    """Modern, or None where `initialize` is to be tried."""
    try:
        if answer.result is not None:
            seen = msgspec.json.decode(answer.result, type=_Discovered)
            if versions.MODERN not in seen.supportedVersions:
                return None
            info = seen.meta.get(versions.SERVER_INFO_KEY, msgspec.Raw(b"{}"))
            return Found(MODERN, versions.MODERN, bytes(info), bytes(seen.capabilities), _text(seen.instructions))
        return Found(MODERN, versions.MODERN) if is_modern_error(answer.error or b"{}") else None
    except (msgspec.MsgspecError, ValueError):
        return None


def is_modern_error(error: bytes) -> bool:
    """Whether a JSON-RPC error could only come from a modern server that has a version in common with us."""
    try:
        seen = msgspec.json.decode(error, type=_Error)
        if seen.code != _VERSION_UNSUPPORTED:
            return seen.code in _RECOGNISED
        return versions.MODERN in msgspec.json.decode(seen.data, type=_Supported).supported
    except (msgspec.MsgspecError, ValueError):
        return False


def of_initialize(answer: Answer) -> Found:
    """Legacy. Raises Fault(upstream_garbage) where the server refused or chose a version we do not speak."""
    try:
        seen = msgspec.json.decode(answer.result or b"", type=_Initialized)
    except (msgspec.MsgspecError, ValueError):
        text = "The MCP server behind this tool answered neither `server/discover` nor `initialize`; is it one?"
        raise Fault(UPSTREAM_GARBAGE, text, {"stage": "mcp"}) from None
    if seen.protocolVersion not in versions.LEGACY_VERSIONS:
        text = "The MCP server behind this tool chose a protocol version that the platform does not speak."
        raise Fault(UPSTREAM_GARBAGE, text, {"stage": "mcp"})
    info, capabilities = bytes(seen.serverInfo), bytes(seen.capabilities)
    return Found(LEGACY, seen.protocolVersion, info, capabilities, _text(seen.instructions))


def _text(raw: msgspec.Raw) -> str:
    """Empty where it is no text: instructions are no reason to refuse a server."""
    try:
        return msgspec.json.decode(raw, type=str)[:MAX_INSTRUCTIONS]
    except (msgspec.MsgspecError, ValueError):
        return ""
