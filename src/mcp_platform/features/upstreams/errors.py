"""Refusals about upstream servers."""

from mcp_platform.base.errors import define

SERVER_UNKNOWN = define(
    "server_unknown",
    http=404,
    jsonrpc=-32602,
    text="No server has that name; `mcp-platform server list` shows those that exist.",
    whose="caller",
)
SERVER_EXISTS = define(
    "server_exists",
    http=409,
    jsonrpc=-32602,
    text="A server of that name is there already; remove it first or choose another name.",
    whose="caller",
)
TOOL_NOT_PENDING = define(
    "tool_not_pending",
    http=404,
    jsonrpc=-32602,
    text="There is a tool among these that does not await approval; `mcp-platform server tools NAME` shows which do.",
    whose="caller",
)
TOOLS_NOT_AS_SHOWN = define(
    "tools_not_as_shown",
    http=409,
    jsonrpc=-32602,
    text="What these tools say now is not what the word was shown for; look at the same tools again with "
    "`mcp-platform server approve NAME [TOOL] --show`.",
    whose="caller",
)
TOOL_NOT_THERE = define(
    "tool_not_there",
    http=404,
    jsonrpc=-32602,
    text="The server has no tool of this name; `server tools` lists those it has.",
    whose="caller",
)
SERVER_INVALID = define(
    "server_invalid",
    http=422,
    jsonrpc=-32602,
    text="A server has a name and either a URL or a command; see `mcp-platform server add --help`.",
    whose="caller",
)
