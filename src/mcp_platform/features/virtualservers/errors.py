"""Refusals about virtual servers."""

from mcp_platform.base.errors import define

VIRTUAL_UNKNOWN = define(
    "virtual_unknown",
    http=404,
    jsonrpc=-32602,
    text="No virtual server has that name; `mcp-platform virtual list` shows those that exist.",
    whose="caller",
)
VIRTUAL_EXISTS = define(
    "virtual_exists",
    http=409,
    jsonrpc=-32602,
    text="A virtual server of that name is there already; choose another name, or change that one.",
    whose="caller",
)
VIRTUAL_INVALID = define(
    "virtual_invalid",
    http=422,
    jsonrpc=-32602,
    text="A virtual server has a name and items of servers; see `mcp-platform virtual create --help`.",
    whose="caller",
)
ITEM_NOT_THERE = define(
    "item_not_there",
    http=404,
    jsonrpc=-32602,
    text="The server offers no such item to agents; `mcp-platform server tools` lists the tools that it does.",
    whose="caller",
)
"""Chosen was what its server does not list, or nobody approved."""
ITEM_NAME_TAKEN = define(
    "item_name_taken",
    http=409,
    jsonrpc=-32602,
    text="Another item of this virtual server has that name, or it is reserved; give this one a name of its own.",
    whose="caller",
)
