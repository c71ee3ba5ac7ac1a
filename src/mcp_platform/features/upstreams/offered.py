"""What a server lists, read and judged: which of it agents may see, and why not. Pure; nothing is rewritten."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from mcp_platform.features.upstreams.uris import is_uri

MAX_DEFINITION_BYTES = 512 * 1024
"""Bytes of one tool, prompt or resource. The largest seen in the wild stay under 100 KiB."""
MAX_NAME_CHARACTERS = 256
"""Characters of a server's own name for a tool or prompt. SDKs warn above 128."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)
_HEADER = "x-mcp-header"
TWICE = "the server lists two of this name"


@dataclass(frozen=True, slots=True)
class ToolSeen:
    """One tool of a server, read."""

    name: str
    definition: bytes
    input_schema: bytes
    definition_hash: str
    skipped: str | None = None
    """Why agents cannot see it; None where they can."""


@dataclass(frozen=True, slots=True)
class ItemSeen:
    """One prompt, resource or template of a server, read."""

    key: str
    """The server's own name, URI or template."""
    definition: bytes
    definition_hash: str
    skipped: str | None = None


def read_tool(raw: bytes) -> ToolSeen | None:
    """One tool object of a listing; None where it has not even a name."""
    read = _read(raw, "name")
    if read is None:
        return None
    name, members, digest = read
    schema = bytes(members.get("inputSchema", b""))
    skipped = _name_problem(name)
    if skipped is None:
        object_like = schema.lstrip().startswith(b"{")
        skipped = header_problem(schema) if object_like else "it has no inputSchema that is an object"
    return ToolSeen(name=name, definition=raw, input_schema=schema, definition_hash=digest, skipped=skipped)


def read_item(raw: bytes, key: str) -> ItemSeen | None:
    """One object of another list, named by its member `key`; None where it has not even that."""
    read = _read(raw, key)
    if read is None:
        return None
    own, _, digest = read
    skipped = _name_problem(own) if key == "name" else None
    if key != "name" and not is_uri(own):
        skipped = "its URI is longer than 2048 characters, or has a space or control character in it"
    return ItemSeen(own, raw, digest, skipped)


def _read(raw: bytes, key: str) -> tuple[str, dict[str, msgspec.Raw], str] | None:
    if len(raw) > MAX_DEFINITION_BYTES:
        return None
    try:
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        own = msgspec.json.decode(members[key], type=str)
        canonical = json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return own, members, hashlib.sha256(canonical.encode()).hexdigest()
    except (msgspec.MsgspecError, KeyError, ValueError, RecursionError):
        return None


def _name_problem(name: str) -> str | None:
    too_long = not 0 < len(name) <= MAX_NAME_CHARACTERS
    return "its name is empty or longer than 256 characters" if too_long else None


def header_problem(schema: bytes) -> str | None:
    """Why clients must drop a tool for its `x-mcp-header` annotations (2026-07-28, streamable HTTP); None where they
    need not: each is a token, unlike any other whatever its case, on a string, integer or boolean that is reached
    through `properties` alone."""
    if _HEADER.encode() not in schema and rb"\u" not in schema:
        return None
    try:
        root = json.loads(schema)
    except (ValueError, RecursionError):
        return "its inputSchema cannot be read"
    names: set[str] = set()
    for node, reached in _objects(root):
        if _HEADER not in node:
            continue
        name = node[_HEADER]
        if not isinstance(name, str) or _TOKEN.fullmatch(name) is None:
            return "an x-mcp-header of its inputSchema is no token"
        if name.lower() in names:
            return "its inputSchema names an x-mcp-header twice"
        if not reached or node.get("type") not in ("string", "integer", "boolean"):
            return "an x-mcp-header of its inputSchema is not on a string, integer or boolean property"
        names.add(name.lower())
    return None


def _objects(root: object) -> Iterator[tuple[dict[str, object], bool]]:
    """Every object of a schema that may be a schema itself, and whether only `properties` lead to it. What `properties`
    holds are schemas by name: a property that is called `x-mcp-header` is no annotation."""
    waiting: list[tuple[object, bool, bool]] = [(root, True, False)]
    while waiting:
        node, reached, names = waiting.pop()
        if isinstance(node, list):
            waiting.extend((each, False, False) for each in node)
        elif isinstance(node, dict) and names:
            waiting.extend((each, reached, False) for each in node.values())
        elif isinstance(node, dict):
            yield node, reached and node is not root
            for key, each in node.items():
                if key not in ("const", "default", "enum", "examples"):  # values, not schemas
                    waiting.append((each, reached and key == "properties", key in _NAMED))


_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value is not a schema but holds schemas by name."""


def judge_items(found: tuple[bytes, ...], key: str) -> tuple[tuple[ItemSeen, ...], int]:
    """Prompts, resources or templates by their name; and how many have none. One that is listed twice is not for
    agents: nobody could say which is meant."""
    items: dict[str, ItemSeen] = {}
    unnamed = 0
    for raw in found:
        seen = read_item(raw, key)
        if seen is None:
            unnamed += 1
        elif seen.key in items:
            items[seen.key] = replace(items[seen.key], skipped=TWICE)
        else:
            items[seen.key] = seen
    return tuple(items.values()), unnamed


class _Described(msgspec.Struct):
    description: str = ""


def description_of(definition: bytes) -> str:
    """A description; empty where there is none that is text."""
    try:
        return msgspec.json.decode(definition, type=_Described).description
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""


def renamed(definition: bytes, exposed: str, key: str = "name") -> bytes:
    """The object with another name (or URI, by `key`), and all else verbatim."""
    members = msgspec.json.decode(definition, type=dict[str, msgspec.Raw])
    members[key] = msgspec.Raw(msgspec.json.encode(exposed))
    return msgspec.json.encode(members)


CHARACTERS_PER_TOKEN = 4
"""Of English text and JSON, about, with the tokenisers in use."""


def token_cost(definition: bytes) -> int:
    """About how many tokens an agent's model reads for a definition."""
    return -(-len(definition) // CHARACTERS_PER_TOKEN)
