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
    sent: bool = False
    """Whether it goes to an upstream, and so leaves an intent and an outcome in the record."""


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("completion/complete", legacy=True, modern=True, sent=True),
        Method("initialize", legacy=True, modern=False),
        Method("logging/setLevel", legacy=True, modern=False),
        Method("ping", legacy=True, modern=False),
        Method("prompts/get", legacy=True, modern=True, target="name", permission="prompts:prompt:get", sent=True),
        Method("prompts/list", legacy=True, modern=True),
        Method("resources/list", legacy=True, modern=True),
        Method(
            "resources/read", legacy=True, modern=True, target="uri", permission="resources:resource:read", sent=True
        ),
        Method("resources/subscribe", legacy=True, modern=False, permission="resources:resource:read"),
        Method("resources/templates/list", legacy=True, modern=True),
        Method("resources/unsubscribe", legacy=True, modern=False),
        Method("server/discover", legacy=False, modern=True),
        Method("subscriptions/listen", legacy=False, modern=True),
        Method("tasks/cancel", legacy=False, modern=True, target="taskId", permission="tools:tool:call", sent=True),
        Method("tasks/get", legacy=False, modern=True, target="taskId", permission="tools:tool:call", sent=True),
        Method("tasks/update", legacy=False, modern=True, target="taskId", permission="tools:tool:call", sent=True),
        Method("tools/call", legacy=True, modern=True, target="name", permission="tools:tool:call", sent=True),
        Method("tools/list", legacy=True, modern=True),
    )
}
NAMED: dict[str, str] = {method.name: method.target for method in METHODS.values() if method.target is not None}
"""Methods whose target is mirrored in `Mcp-Name` (2026-07-28)."""
