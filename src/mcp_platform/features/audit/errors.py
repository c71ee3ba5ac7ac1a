"""What can be wrong with the audit log."""

from mcp_platform.base.errors import define

AUDIT_CHAIN_BROKEN = define(
    "audit_chain_broken",
    http=500,
    jsonrpc=-31540,
    text="The audit log was changed outside the platform: a row does not fit the one before it.",
    whose="platform",
)
