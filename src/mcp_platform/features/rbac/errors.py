"""Refusals about roles."""

from mcp_platform.base.errors import define

FORBIDDEN = define(
    "forbidden",
    http=403,
    jsonrpc=-31410,
    text="You do not hold the permission that this needs; ask the operator for a role that has it.",
    whose="caller",
)
ROLE_BUILT_IN = define(
    "role_built_in",
    http=409,
    jsonrpc=-32602,
    text="A built-in role can be granted and revoked, but not changed or deleted.",
    whose="caller",
)
ROLE_IN_USE = define(
    "role_in_use",
    http=409,
    jsonrpc=-32602,
    text="Somebody still holds this role; revoke it from them first.",
    whose="caller",
)
