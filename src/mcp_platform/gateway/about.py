"""What an endpoint says of itself to one caller: capabilities and instructions, joined from the servers behind it.

Who we are is always ourselves; a server's own name stands in its results' `_meta`, where it put it.
"""

from typing import Any

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.virtualservers.model import INSTRUCTIONS
from mcp_platform.gateway import answers
from mcp_platform.gateway.declared import declared
from mcp_platform.gateway.endpoint import Endpoint

MAX_INSTRUCTIONS_CHARACTERS = 16_384
"""Characters of all instructions together: they go into the context of every agent."""


def capabilities(endpoint: Endpoint, allowed: Allowed, *, modern: bool) -> dict[str, Any]:
    """ServerCapabilities: what at least one server that the caller may use declares, and what we add to all: changes
    of lists are announced, whether a server announces them or an administrator causes them."""
    usable = endpoint.usable_by(allowed)
    known = [seen for upstream in usable if (seen := declared(upstream.capabilities)) is not None]
    joined: dict[str, Any] = {"tools": {"listChanged": True}}
    if any(each.prompts is not None for each in known):
        joined["prompts"] = {"listChanged": True}
    if any(each.resources is not None for each in known):
        subscribe = any(each.subscribe for each in known)
        joined["resources"] = {"listChanged": True, **({"subscribe": True} if subscribe else {})}
    for name in ("completions", "logging"):
        if any(getattr(each, name) is not None for each in known):
            joined[name] = {}
    extensions = {name: value for each in reversed(known) for name, value in each.extensions.items()}
    if modern and extensions:
        joined["extensions"] = extensions
    return joined


def instructions(endpoint: Endpoint, allowed: Allowed) -> str:
    """The endpoint's own, which stand alone; else ours, then those of each server under its name, cut at a ceiling."""
    search = [INSTRUCTIONS] if endpoint.tool_search else []
    if endpoint.instructions:
        return "\n\n".join([endpoint.instructions, *search])[:MAX_INSTRUCTIONS_CHARACTERS]
    parts = [endpoint.about or answers.INSTRUCTIONS, *search]
    parts.extend(
        f"## {upstream.name}\n\n{upstream.instructions}"
        for upstream in endpoint.usable_by(allowed)
        if upstream.instructions
    )
    return "\n\n".join(parts)[:MAX_INSTRUCTIONS_CHARACTERS]
