"""What can go wrong with an upstream, as the caller of its tool is told."""

from mcp_platform.base.errors import define

UPSTREAM_DOWN = define(
    "upstream_down",
    http=502,
    jsonrpc=-31502,
    text="The MCP server behind this tool cannot be reached; try again later or tell the operator.",
    whose="upstream",
)
UPSTREAM_TIMEOUT = define(
    "upstream_timeout",
    http=504,
    jsonrpc=-31504,
    text="The MCP server behind this tool did not answer in time; it may or may not have acted.",
    whose="upstream",
)
UPSTREAM_LOST = define(
    "upstream_lost",
    http=502,
    jsonrpc=-31505,
    text="The connection to the MCP server behind this tool broke during the call; it may or may not have acted.",
    whose="upstream",
)
UPSTREAM_GARBAGE = define(
    "upstream_garbage",
    http=502,
    jsonrpc=-31506,
    text="The MCP server behind this tool sent something that is not a valid answer.",
    whose="upstream",
)
UPSTREAM_TOO_LARGE = define(
    "upstream_too_large",
    http=502,
    jsonrpc=-31507,
    text="The answer of the MCP server behind this tool is larger than the ceiling; ask for less or raise it.",
    whose="upstream",
)
UPSTREAM_REFUSED = define(
    "upstream_refused",
    http=502,
    jsonrpc=-31508,
    text="The MCP server behind this tool refused the platform's credentials or request; tell the operator.",
    whose="upstream",
)
UPSTREAM_BUSY = define(
    "upstream_busy",
    http=503,
    jsonrpc=-31509,
    text="Too many calls to this MCP server are under way; try again shortly.",
    whose="upstream",
)
UPSTREAM_LIST_STALE = define(
    "upstream_list_stale",
    http=502,
    jsonrpc=-31515,
    text="The MCP server behind this tool changed what its tools expect; list the tools again and repeat the call.",
    whose="upstream",
)
