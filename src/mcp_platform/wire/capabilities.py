"""What a client must have declared before a server may ask it something (2025-11-25 and 2026-07-28, client features).
Pure."""

from typing import Any

import msgspec

QUESTIONS = frozenset({"elicitation/create", "sampling/createMessage", "roots/list"})
"""What a server may ask its client."""
ASKABLE = frozenset({"elicitation", "sampling", "roots"})
"""The capabilities that allow it; a client with none of them is asked nothing."""


class _Asked(msgspec.Struct):
    mode: str = "form"
    tools: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def required(method: str, params: bytes) -> dict[str, Any] | None:
    """The capabilities that a client must have declared to be asked this, as a ClientCapabilities object; None where
    it is nothing that a client may be asked."""
    if method == "roots/list":
        return {"roots": {}}
    if method not in QUESTIONS:
        return None
    try:
        asked = msgspec.json.decode(params, type=_Asked)
    except (msgspec.MsgspecError, ValueError):
        asked = _Asked()
    if method == "sampling/createMessage":
        return {"sampling": {} if asked.tools is msgspec.UNSET else {"tools": {}}}
    return {"elicitation": {} if asked.mode == "form" else {asked.mode if asked.mode == "url" else "unknown": {}}}


def declares(capabilities: dict[str, Any], needed: dict[str, Any]) -> bool:
    """Whether a client with `capabilities` has declared all of `needed`. An empty `elicitation` means forms."""
    for name, parts in needed.items():
        declared = capabilities.get(name)
        if not isinstance(declared, dict):
            return False
        if name == "elicitation" and not parts and declared and "form" not in declared:
            return False
        if any(part not in declared for part in parts):
            return False
    return True
