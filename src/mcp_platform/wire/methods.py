"""The methods of MCP: which part of the parameters names the target, which eras know it, what it needs.

What stands in no row is no method here: -32601.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """One request a client may send."""

    name: str
    legacy: bool
    modern: bool
    target: str | None = None
    """The member of params that names the target, mirrored in `Mcp-Name`."""
    permission: str | None = None
    """What the caller must hold; None where being known is enough."""


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("initialize", legacy=True, modern=False),
        Method("ping", legacy=True, modern=False),
        Method("server/discover", legacy=False, modern=True),
        Method("tools/call", legacy=True, modern=True, target="name", permission="tools:tool:call"),
        Method("tools/list", legacy=True, modern=True),
    )
}
NAMED: dict[str, str] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Methods whose target is mirrored in `Mcp-Name`, served here or not (2026-07-28)."""
