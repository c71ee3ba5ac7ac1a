"""Everything an upstream offers, read to the end: cursors followed, with ceilings on all that it sizes."""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Call, Link
from mcp_platform.net.transports.nobody import Nobody
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_REFUSED, UPSTREAM_TOO_LARGE

MAX_TOOLS = 10_000
"""Tools of one server. The largest seen have a few hundred; clients stop being useful long before this."""
MAX_LIST_BYTES = 16 * 1024 * 1024
"""Bytes of all pages together; the default ceiling of one result."""
MAX_CURSOR_CHARACTERS = 65536
"""Characters of a cursor, which some servers fill with state."""


class _Page(msgspec.Struct):
    tools: list[msgspec.Raw]
    nextCursor: str | None = None


class _Tool(msgspec.Struct):
    name: str


_page = msgspec.json.Decoder(_Page)
_tool = msgspec.json.Decoder(_Tool)


async def list_tools(link: Link, call_timeout_s: float) -> list[bytes]:
    """Every tool object, verbatim. Raises Fault(upstream_*) with `stage` in its data."""
    found: list[bytes] = []
    size = 0
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        params = b"{}" if cursor is None else msgspec.json.encode({"cursor": cursor})
        call = Call(method="tools/list", params=params, timeout_s=call_timeout_s, max_result_bytes=MAX_LIST_BYTES)
        page = _decode(await _result(link, call))
        found.extend(map(bytes, page.tools))
        size += sum(map(len, page.tools))
        if len(found) > MAX_TOOLS or size > MAX_LIST_BYTES:
            text = "The MCP server offers more tools than the platform takes."
            raise Fault(UPSTREAM_TOO_LARGE, text, {"stage": "mcp", "max_tools": MAX_TOOLS})
        cursor = page.nextCursor
        if cursor is None:
            return found
        if cursor in seen or len(cursor) > MAX_CURSOR_CHARACTERS or len(seen) >= MAX_TOOLS:
            raise Fault(UPSTREAM_GARBAGE, "The MCP server's tool list does not end.", {"stage": "mcp"})
        seen.add(cursor)


async def _result(link: Link, call: Call) -> bytes:
    answer = await link.call(call, Nobody())
    if answer.result is None:
        text = "The MCP server refused to list its tools."
        raise Fault(UPSTREAM_REFUSED, text, {"stage": "mcp"})
    return answer.result


def _decode(result: bytes) -> _Page:
    try:
        page = _page.decode(result)
        for tool in page.tools:
            _tool.decode(tool)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Fault(UPSTREAM_GARBAGE, "The MCP server's tool list is malformed.", {"stage": "mcp"}) from None
    return page
