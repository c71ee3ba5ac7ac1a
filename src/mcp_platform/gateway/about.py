"""What an endpoint says of itself to one caller: capabilities and instructions, joined from the servers behind it.

Who we are is always ourselves; a server's own name stands in its results' `_meta`, where it put it.
"""

from typing import Any

import msgspec

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.upstreams.model import UpstreamRow
from mcp_platform.features.virtualservers.model import INSTRUCTIONS
from mcp_platform.gateway import answers
from mcp_platform.gateway.endpoint import Endpoint

MAX_INSTRUCTIONS_CHARACTERS = 16_384
"""Characters of all instructions together: they go into the context of every agent."""


class _Declared(msgspec.Struct):
    """A server's capabilities, as far as they are joined."""

    prompts: dict[str, Any] | None = None
    resources: dict[str, Any] | None = None
    completions: dict[str, Any] | None = None
    logging: dict[str, Any] | None = None
    extensions: dict[str, Any] = {}


def capabilities(endpoint: Endpoint, allowed: Allowed, *, modern: bool) -> dict[str, Any]:
    """ServerCapabilities: what at least one server that the caller may use declares, and what we add to all: changes
    of lists are announced, whether a server announces them or an administrator causes them."""
    declared = [_declared(upstream) for upstream in _usable(endpoint, allowed)]
    joined: dict[str, Any] = {"tools": {"listChanged": True}}
    if any(each.prompts is not None for each in declared):
        joined["prompts"] = {"listChanged": True}
    if any(each.resources is not None for each in declared):
        subscribe = any(each.resources is not None and each.resources.get("subscribe") is True for each in declared)
        joined["resources"] = {"listChanged": True, **({"subscribe": True} if subscribe else {})}
    for name in ("completions", "logging"):
        if any(getattr(each, name) is not None for each in declared):
            joined[name] = {}
    extensions = {name: value for each in reversed(declared) for name, value in each.extensions.items()}
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
        for upstream in _usable(endpoint, allowed)
        if upstream.instructions
    )
    return "\n\n".join(parts)[:MAX_INSTRUCTIONS_CHARACTERS]


def _usable(endpoint: Endpoint, allowed: Allowed) -> list[UpstreamRow]:
    """The servers of which the caller may use something, by name."""
    servers = {row.upstream for row in endpoint.tools.values() if allowed.permits(row.server, row.name)}
    servers |= {row.upstream for row in endpoint.prompts.values() if allowed.permits_prompt(row.server, row.name)}
    servers |= {row.upstream for row in endpoint.resources.values() if allowed.permits_resource(row.server, row.uri)}
    servers |= {
        row.upstream for row in endpoint.templates.values() if allowed.permits_resource(row.server, row.template)
    }
    usable = [endpoint.upstreams[identity] for identity in servers if identity in endpoint.upstreams]
    return sorted((row for row in usable if row.enabled), key=lambda row: row.name)


def _declared(upstream: UpstreamRow) -> _Declared:
    try:
        return msgspec.json.decode(upstream.capabilities, type=_Declared)
    except (msgspec.MsgspecError, ValueError):
        return _Declared()
