"""Arguments that are mirrored in `Mcp-Param-*` headers, as a tool's input schema annotates them with `x-mcp-header`
(2026-07-28, basic/transports/streamable-http, custom headers). Pure.

Only a scalar that is reached from the root through `properties` alone may be mirrored, so where it stands in the
arguments is known without evaluating the schema.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.wire import headers as names
from mcp_platform.wire.errors import HEADER_MISMATCH

ANNOTATION = "x-mcp-header"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_INTEGER = re.compile(r"(-?[0-9]+)(?:\.0+)?", re.ASCII)
_TYPES = frozenset({"string", "integer", "boolean"})
_ONE_SCHEMA = frozenset(
    {"additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_LIST_OF_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAP_OF_SCHEMAS = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties"})


class Unmirrorable(ValueError):
    """An annotation that 2026-07-28 forbids; the text says why, without anything from the schema but its rule."""


class ParamHeader(msgspec.Struct, frozen=True):
    """One argument that is mirrored."""

    token: str
    """What follows `Mcp-Param-`."""
    path: tuple[str, ...]
    """Names from the arguments' root to the value."""
    integer: bool
    """Integers agree by value (`42.0` is 42); everything else by its text."""

    @property
    def header(self) -> str:
        """The header's name, in lower case."""
        return names.PARAM_PREFIX + self.token.lower()


def find(schema: object) -> tuple[ParamHeader, ...]:
    """What `schema` (a decoded input schema) wants mirrored. Raises Unmirrorable: such a tool is not for clients."""
    found: dict[str, ParamHeader] = {}
    for path, part in _positions(schema):
        if ANNOTATION not in part:
            continue
        token, kind = part[ANNOTATION], part.get("type")
        if not path:
            raise Unmirrorable("x-mcp-header stands where `properties` alone do not lead")
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise Unmirrorable("x-mcp-header is no token (RFC 9110 §5.6.2)")
        if not isinstance(kind, str) or kind not in _TYPES:
            raise Unmirrorable("x-mcp-header stands at a value that is no string, integer or boolean")
        if token.lower() in found:
            raise Unmirrorable("two values have the same x-mcp-header")
        found[token.lower()] = ParamHeader(token, path, kind == "integer")
    return tuple(found.values())


def _positions(root: object) -> Iterator[tuple[tuple[str, ...] | None, dict[str, Any]]]:
    """Every place of a schema, with the names that lead there, or None where more than `properties` leads there.
    References are not followed, so this ends."""
    waiting: list[tuple[tuple[str, ...] | None, object]] = [((), root)]
    while waiting:
        path, part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield path, part
        for keyword, value in part.items():
            if keyword == "properties" and isinstance(value, dict):
                waiting.extend((None if path is None else (*path, name), each) for name, each in value.items())
            elif keyword in _ONE_SCHEMA:
                waiting.append((None, value))
            elif keyword in _LIST_OF_SCHEMAS and isinstance(value, list):
                waiting.extend((None, each) for each in value)
            elif keyword in _MAP_OF_SCHEMAS and isinstance(value, dict):
                waiting.extend((None, each) for each in value.values())


def mirrored(wanted: tuple[ParamHeader, ...], arguments: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The header lines of a call with `arguments`: (name, value as text); who writes the header encodes it, once.
    What is absent or null has none."""
    lines = []
    for each in wanted:
        text = _text(_value(arguments, each.path))
        if text is not None:
            lines.append(("Mcp-Param-" + each.token, text))
    return tuple(lines)


def check(wanted: tuple[ParamHeader, ...], arguments: dict[str, Any], headers: dict[str, str]) -> None:
    """Raises Fault(header_mismatch) where a header that the tool's schema asks for is missing, or says something else
    than the arguments. Other `Mcp-Param-*` headers mean nothing here."""
    for each in wanted:
        text, given = _text(_value(arguments, each.path)), headers.get(each.header)
        if text is None and given is None:
            continue
        said = None if given is None else names.decode_value(given)
        if text is None or said is None or not _agree(each, text, said):
            reason = f"The header Mcp-Param-{each.token} must say the same as the argument that it mirrors."
            raise Fault(HEADER_MISMATCH, reason, {"header": f"Mcp-Param-{each.token}", "member": "/".join(each.path)})


def _agree(wanted: ParamHeader, text: str, said: str) -> bool:
    if text == said:
        return True
    if not wanted.integer:
        return False
    ours, theirs = _INTEGER.fullmatch(text), _INTEGER.fullmatch(said)
    return ours is not None and theirs is not None and ours[1] == theirs[1]


def _value(arguments: dict[str, Any], path: tuple[str, ...]) -> object:
    node: object = arguments
    for name in path:
        if not isinstance(node, dict):
            return None
        node = node.get(name)
    return node


def _text(value: object) -> str | None:
    """How a value stands in a header; None where it stands in none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else None
