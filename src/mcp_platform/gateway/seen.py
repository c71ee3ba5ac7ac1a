"""Whether a caller sees a row: one answer for lists, for who hears of a change, and for what an endpoint says of
itself."""

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow

Row = ToolRow | PromptRow | ResourceRow | TemplateRow


def may_see(allowed: Allowed, row: Row) -> bool:
    """By the name that the server gave it. Whether the server is enabled is another question."""
    if isinstance(row, ToolRow):
        return allowed.permits(row.server, row.name)
    if isinstance(row, PromptRow):
        return allowed.permits_prompt(row.server, row.name)
    return allowed.permits_resource(row.server, row.uri if isinstance(row, ResourceRow) else row.template)
