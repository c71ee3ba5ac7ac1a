"""Refusals about a tool's arguments."""

from mcp_platform.base.errors import define

ARGUMENTS_INVALID = define(
    "arguments_invalid",
    http=400,
    jsonrpc=-32602,
    text="The arguments do not fit the tool's input schema; `problems` in the error's data, or in `_meta`, say where.",
    whose="caller",
)
TOOL_SCHEMA_INVALID = define(
    "tool_schema_invalid",
    http=502,
    jsonrpc=-31560,
    text="The tool's input schema cannot be enforced, so the tool accepts nothing; tell the operator.",
    whose="upstream",
)
