"""Virtual servers: what of which servers is offered at `/mcp/NAME`, and in which words. Nothing here allows anything:
who may use an item is decided by roles, as at `/mcp`."""

import msgspec

TOOLS, PROMPTS, RESOURCES, TEMPLATES = "tools", "prompts", "resources", "templates"
"""Kinds of item."""
KINDS = (TOOLS, PROMPTS, RESOURCES, TEMPLATES)
NAMED = (TOOLS, PROMPTS)
"""Kinds whose items have a name that a virtual server may change. A resource keeps the URI that it has at `/mcp`."""


class VirtualItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing that was chosen."""

    kind: str
    server: str
    """Name of the server, as roles and records call it."""
    own: str
    """The server's own name, URI or template."""
    exposed: str = ""
    """The name that agents see; empty for resources and templates."""
    description: str | None = None
    """The operator's words in place of the server's; None: the server's."""


class VirtualRow(msgspec.Struct, frozen=True, array_like=True):
    """One virtual server as a worker knows it; one that is disabled is not known to workers."""

    id: str
    name: str
    """It is served at `/mcp/NAME`."""
    title: str
    description: str
    instructions: str
    """In place of those of the servers behind it; empty: theirs."""
    roles: tuple[str, ...]
    """Who holds one of them may use it; none: everybody, each within its own roles."""
    tool_search: bool
    """True: agents see `search_tools` and `call_tool` in place of the tools."""
    items: tuple[VirtualItem, ...] = ()


SEARCH_TOOLS = "search_tools"
"""Finds tools: with CALL_TOOL it stands for all others where a virtual server has the search of tools."""
CALL_TOOL = "call_tool"
MAX_QUERY_CHARACTERS = 1000
"""Characters of a query: a sentence or two, and no document."""
INSTRUCTIONS = f"Find the tool you need with `{SEARCH_TOOLS}`, then call it with `{CALL_TOOL}`."
MAX_FOUND = 20
USUAL_FOUND = 5

_SEARCH = {
    "name": SEARCH_TOOLS,
    "title": "Search tools",
    "description": "Finds the tools of this server that fit what you want to do, the best first, each with its whole "
    f"definition. Describe the task in a few words. Then call the one you need with `{CALL_TOOL}`.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_QUERY_CHARACTERS,
                "description": "What the tool should do, in words: 'list open issues of a repository'.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_FOUND,
                "default": USUAL_FOUND,
                "description": "How many tools to show.",
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    "outputSchema": {
        "type": "object",
        "properties": {"tools": {"type": "array", "items": {"type": "object"}}},
        "required": ["tools"],
    },
    "annotations": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False},
}
_CALL = {
    "name": CALL_TOOL,
    "title": "Call a tool",
    "description": f"Calls a tool that `{SEARCH_TOOLS}` found, by its name, with arguments that fit its inputSchema.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 64, "description": "The tool's name."},
            "arguments": {"type": "object", "description": "Its arguments, as its inputSchema wants them."},
        },
        "required": ["name"],
        "additionalProperties": False,
    },
}
SEARCH_SCHEMA = msgspec.json.encode(_SEARCH["inputSchema"])
CALL_SCHEMA = msgspec.json.encode(_CALL["inputSchema"])
DEFINITIONS = msgspec.json.encode([_CALL, _SEARCH])
"""What `tools/list` says, in the order of the names."""
