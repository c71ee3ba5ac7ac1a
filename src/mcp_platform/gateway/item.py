"""What a request is sent to an upstream for: a tool, a prompt or a resource, as the caller's endpoint offers it."""

import msgspec

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.upstreams.model import ToolRow, UpstreamRow
from mcp_platform.net.transports.model import Target

TOOL = "tools"
PROMPT = "prompts"
RESOURCE = "resources"


class Item(msgspec.Struct, frozen=True):
    """One thing of one upstream."""

    kind: str
    """TOOL, PROMPT or RESOURCE."""
    upstream: UpstreamRow
    name: str
    """The upstream's own name; a resource's is its URI, a template's the template."""
    exposed: str
    """The name by which the caller asks for it."""
    definition: str = ""
    """SHA-256 of the definition as approved, hex; empty for a resource that no list names."""
    read_only: bool = False
    """True where an administrator said that asking for it changes nothing."""
    tool: ToolRow | None = None
    """For a tool, its row."""

    @property
    def server(self) -> str:
        return self.upstream.name

    def permitted(self, allowed: Allowed) -> bool:
        """Whether the roles of a caller let it ask for this."""
        if self.kind == TOOL:
            return allowed.permits(self.upstream.name, self.name)
        if self.kind == PROMPT:
            return allowed.permits_prompt(self.upstream.name, self.name)
        return allowed.permits_resource(self.upstream.name, self.name)

    def rule(self, allowed: Allowed) -> str:
        """The rule that lets it, for the record."""
        if self.kind == TOOL:
            return allowed.rule(self.upstream.name, self.name)
        if self.kind == PROMPT:
            return allowed.rule_prompt(self.upstream.name, self.name)
        return allowed.rule_resource(self.upstream.name, self.name)


def target_of(upstream: UpstreamRow) -> Target:
    """How transports know an upstream."""
    return Target(
        id=upstream.id,
        version=upstream.version,
        transport=upstream.transport,
        url=upstream.url,
        has_credentials=upstream.has_credentials,
        interactive=upstream.interactive,
    )
