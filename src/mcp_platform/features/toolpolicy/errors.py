"""Refusals about single tools."""

from mcp_platform.base.errors import define

TOOL_NOT_THERE = define(
    "tool_not_there",
    http=404,
    jsonrpc=-32602,
    text="The server has no tool of this name; `server tools` lists those it has.",
    whose="caller",
)
