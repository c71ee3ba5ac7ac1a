"""What 2026-07-28 demands of a request before it is looked at: the ladder of checks, as a pure function.

The order is the specification's: `_meta`, then headers against the body, then the version.
"""

from typing import Any

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.wire import headers as names
from mcp_platform.wire import versions
from mcp_platform.wire.errors import HEADER_MISMATCH, INVALID_PARAMS, VERSION_UNSUPPORTED
from mcp_platform.wire.jsonrpc import Message
from mcp_platform.wire.methods import NAMED

_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
LOG_LEVELS = {level: rank for rank, level in enumerate(_LEVELS)}
"""Level → how grave it is (RFC 5424)."""
_OWNED = frozenset(
    {
        versions.VERSION_KEY,
        versions.CAPABILITIES_KEY,
        versions.CLIENT_INFO_KEY,
        versions.LOG_LEVEL_KEY,
        "progressToken",
    }
)
_KNOWN = 512
"""Spellings of `_meta` that are remembered: clients in use at a time; when more come, all are forgotten."""
_KNOWN_BYTES = 2048
"""Bytes of the longest one that is: 512 of them take under 4 MiB."""
_known: "dict[bytes, Meta]" = {}
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Meta(msgspec.Struct, frozen=True):
    """What a client says about itself with a request, in either era."""

    version: str
    capabilities: dict[str, Any]
    capabilities_raw: bytes
    client_info: bytes | None
    log_level: str | None
    progress_token: str | int | None
    rest: dict[str, msgspec.Raw]
    """Every other `_meta` member, verbatim."""


def check(message: Message, headers: dict[str, str]) -> Meta:
    """The request's own account of its client. Raises Fault(params_invalid, header_mismatch,
    protocol_version_unsupported)."""
    meta = read_meta(message)
    given = message.params.get("_meta")
    if not isinstance(given, dict):
        raise _missing("_meta")
    for key in (versions.VERSION_KEY, versions.CAPABILITIES_KEY):
        if key not in given:
            raise _missing(key)
    if not isinstance(given[versions.VERSION_KEY], str) or not isinstance(given[versions.CAPABILITIES_KEY], dict):
        raise Fault(INVALID_PARAMS, "`_meta` must carry a protocol version (text) and client capabilities (an object).")
    _check_headers(message, headers, meta.version)
    if meta.version not in versions.MODERN_VERSIONS:
        supported = list(versions.MODERN_VERSIONS)
        # The specification wants the version back that was asked for; it is text under the header ceiling.
        raise Fault(VERSION_UNSUPPORTED, data={"supported": supported, "requested": meta.version})
    if meta.log_level is not None and meta.log_level not in LOG_LEVELS:
        raise Fault(INVALID_PARAMS, "The log level in `_meta` must be one of the eight levels of RFC 5424.")
    return meta


def read_meta(message: Message) -> Meta:
    """`_meta` taken apart; what is absent is empty. Raises Fault(params_invalid).

    A client says the same about itself with every request: what was taken apart once is remembered.
    """
    text = bytes(message.raw.get("_meta", b"{}"))
    meta = _known.get(text)
    if meta is None:
        meta = _take_apart(message)
        if len(text) <= _KNOWN_BYTES and meta.progress_token is None:
            if len(_known) >= _KNOWN:
                _known.clear()
            _known[text] = meta
    return meta


def _take_apart(message: Message) -> Meta:
    given = message.params.get("_meta", {})
    if not isinstance(given, dict):
        raise Fault(INVALID_PARAMS, "`_meta` must be an object.")
    token = given.get("progressToken")
    if token is not None and type(token) not in (str, int):
        raise Fault(INVALID_PARAMS, "`progressToken` must be text or an integer.")
    raw = _members.decode(message.raw["_meta"]) if given else {}
    capabilities = given.get(versions.CAPABILITIES_KEY)
    log_level = given.get(versions.LOG_LEVEL_KEY)
    version = given.get(versions.VERSION_KEY)
    return Meta(
        version=version if isinstance(version, str) else "",
        capabilities=capabilities if isinstance(capabilities, dict) else {},
        capabilities_raw=bytes(raw[versions.CAPABILITIES_KEY]) if isinstance(capabilities, dict) else b"{}",
        client_info=bytes(raw[versions.CLIENT_INFO_KEY]) if versions.CLIENT_INFO_KEY in raw else None,
        log_level=None if log_level is None else str(log_level),
        progress_token=token,
        rest={key: value for key, value in raw.items() if key not in _OWNED},
    )


def _check_headers(message: Message, headers: dict[str, str], version: str) -> None:
    if headers.get(names.VERSION) != version:
        raise _mismatch("MCP-Protocol-Version", f"_meta.{versions.VERSION_KEY}")
    if headers.get(names.METHOD) != message.method:
        raise _mismatch("Mcp-Method", "method")
    target = NAMED.get(message.method)
    if target is None:
        return
    value = message.params.get(target)
    given = headers.get(names.NAME)
    if isinstance(value, str) and (given is None or names.decode_value(given) != value):
        raise _mismatch("Mcp-Name", f"params.{target}")


def _missing(key: str) -> Fault:
    return Fault(INVALID_PARAMS, f"A request of 2026-07-28 must carry `{key}` in its parameters.", {"missing": key})


def _mismatch(header: str, member: str) -> Fault:
    text = f"The header {header} must be present and say the same as `{member}` in the body."
    return Fault(HEADER_MISMATCH, text, {"header": header, "member": member})
