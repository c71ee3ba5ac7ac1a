"""Refusals about people, services and the set-up link."""

from mcp_platform.base.errors import define

PRINCIPAL_UNKNOWN = define(
    "principal_unknown",
    http=404,
    jsonrpc=-32602,
    text="No principal has that name; `mcp-platform principal list` shows those that exist.",
    whose="caller",
)
SETUP_LINK_INVALID = define(
    "setup_link_invalid",
    http=403,
    jsonrpc=-31450,
    text="This is not the set-up link of this platform; open the link that `mcp-platform init` printed.",
    whose="caller",
)
SETUP_LINK_EXPIRED = define(
    "setup_link_expired",
    http=410,
    jsonrpc=-31451,
    text="The set-up link has expired: it is good for 15 minutes after the first start of the platform.",
    whose="caller",
)
