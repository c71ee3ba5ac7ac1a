"""Everything an upstream offers, read to the end: cursors followed, with ceilings on all that it sizes.

Tools are what a server is for, so a server that cannot list them is not taken. What it fails to list besides is left
out and said, so that its tools need not suffer for it.
"""

from dataclasses import dataclass, field

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.model import Answer, Call, Link
from mcp_platform.net.transports.nobody import Nobody
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_REFUSED, UPSTREAM_TOO_LARGE

MAX_TOOLS = 10_000
"""Tools of one server; as many prompts and templates. The largest seen have a few hundred; clients stop being useful
long before this."""
MAX_RESOURCES = 20_000
"""Resources of one server: a large folder of files. What a server does not list can still be read by its URI."""
MAX_LIST_BYTES = 16 * 1024 * 1024
"""Bytes of all pages of one list together; the default ceiling of one result."""
MAX_CURSOR_CHARACTERS = 65536
"""Characters of a cursor, which some servers fill with state."""
EVERY_CAPABILITY = msgspec.json.encode(
    {"elicitation": {"form": {}, "url": {}}, "sampling": {"context": {}, "tools": {}}, "roots": {"listChanged": True}}
)
"""What the platform says it can do while it lists: servers hide what a client could not use, and the snapshot holds
what any client could. Nobody answers a question that is asked meanwhile."""
LISTER = "platform:listing"
"""Whose connection such a listing is: no principal's. Their ids hold no colon."""
_NOT_OFFERED = -32601


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the four lists."""

    name: str
    """`tools`, `prompts`, `resources` or `templates`."""
    method: str
    member: str
    """The member of the result that is the list."""
    key: str
    """The member of an item that names it."""
    promise: str
    """The server capability that says there is such a list."""
    most: int


TOOLS = Kind("tools", "tools/list", "tools", "name", "tools", MAX_TOOLS)
PROMPTS = Kind("prompts", "prompts/list", "prompts", "name", "prompts", MAX_TOOLS)
RESOURCES = Kind("resources", "resources/list", "resources", "uri", "resources", MAX_RESOURCES)
TEMPLATES = Kind("templates", "resources/templates/list", "resourceTemplates", "uriTemplate", "resources", MAX_TOOLS)


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything a server lists, each item verbatim JSON."""

    tools: list[bytes]
    prompts: list[bytes] = field(default_factory=list)
    resources: list[bytes] = field(default_factory=list)
    templates: list[bytes] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """Kind that could not be listed → stable code of the error."""


async def list_tools(link: Link, call_timeout_s: float) -> list[bytes]:
    """Every tool object, verbatim, as a client without any capability is told. Raises Fault(upstream_*)."""
    return await list_items(link, TOOLS, Call(method="", params=b"{}", timeout_s=call_timeout_s))


async def list_all(link: Link, found: Found, pattern: Call) -> Offer:
    """Every list that the server's capabilities promise; tools are asked for in any case, because servers without a
    word about them have some. `pattern` says as whom. Raises Fault(upstream_*) with `stage` in its data."""
    offer = Offer(await list_items(link, TOOLS, pattern))
    promised = _promised(found.capabilities)
    for kind, items in ((PROMPTS, offer.prompts), (RESOURCES, offer.resources), (TEMPLATES, offer.templates)):
        if kind.promise not in promised:
            continue
        try:
            items.extend(await list_items(link, kind, pattern))
        except Fault as fault:
            if fault.kind not in (UPSTREAM_GARBAGE, UPSTREAM_REFUSED, UPSTREAM_TOO_LARGE):
                raise
            # Servers that declare resources need not have templates.
            if not (kind is TEMPLATES and fault.data.get("rpc") == _NOT_OFFERED):
                offer.problems[kind.name] = fault.kind.code
    return offer


def _promised(capabilities: bytes) -> frozenset[str]:
    try:
        return frozenset(msgspec.json.decode(capabilities, type=dict[str, msgspec.Raw]))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return frozenset()


async def list_items(link: Link, kind: Kind, pattern: Call) -> list[bytes]:
    """Every item of one list, verbatim. Raises Fault(upstream_*) with `stage` in its data."""
    found: list[bytes] = []
    size = 0
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        params = b"{}" if cursor is None else msgspec.json.encode({"cursor": cursor})
        call = msgspec.structs.replace(pattern, method=kind.method, params=params, max_result_bytes=MAX_LIST_BYTES)
        items, cursor = _decode(await _result(link, call, kind), kind)
        found.extend(map(bytes, items))
        size += sum(map(len, items))
        if len(found) > kind.most or size > MAX_LIST_BYTES:
            text = f"The MCP server offers more {kind.name} than the platform takes."
            raise Fault(UPSTREAM_TOO_LARGE, text, {"stage": "mcp", f"max_{kind.name}": kind.most})
        if cursor is None:
            return found
        if cursor in seen or len(cursor) > MAX_CURSOR_CHARACTERS or len(seen) >= kind.most:
            raise Fault(UPSTREAM_GARBAGE, f"The MCP server's list of {kind.name} does not end.", {"stage": "mcp"})
        seen.add(cursor)


async def _result(link: Link, call: Call, kind: Kind) -> bytes:
    answer = await link.call(call, Nobody())
    if answer.result is None:
        text = f"The MCP server refused to list its {kind.name}."
        raise Fault(UPSTREAM_REFUSED, text, {"stage": "mcp", "rpc": _code(answer)})
    return answer.result


class _Error(msgspec.Struct):
    code: int = 0


def _code(answer: Answer) -> int:
    try:
        return msgspec.json.decode(answer.error or b"{}", type=_Error).code
    except (msgspec.MsgspecError, ValueError):
        return 0


def _decode(result: bytes, kind: Kind) -> tuple[list[msgspec.Raw], str | None]:
    """The items of a page, each of which has its name, and the cursor of the next."""
    try:
        page = msgspec.json.decode(result, type=dict[str, msgspec.Raw])
        items = msgspec.json.decode(page[kind.member], type=list[msgspec.Raw])
        for item in items:
            msgspec.json.decode(msgspec.json.decode(item, type=dict[str, msgspec.Raw])[kind.key], type=str)
        cursor = msgspec.json.decode(page.get("nextCursor", msgspec.Raw(b"null")), type=str | None)
    except (msgspec.MsgspecError, KeyError, ValueError, RecursionError):
        raise Fault(UPSTREAM_GARBAGE, f"The MCP server's list of {kind.name} is malformed.", {"stage": "mcp"}) from None
    return items, cursor
