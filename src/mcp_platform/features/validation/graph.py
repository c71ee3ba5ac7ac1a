"""A schema as a graph: which subschemas apply to the same value, and which to the values in it.

Covers every keyword of drafts 4 to 2020-12 that holds a schema, whichever draft it is: counting one too many is safe.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

MAX_NODES = 2_000
"""Subschemas: reading and compiling them takes a worker up to 15 ms. The largest tools in use have some 200."""
MAX_PATTERNS = 200
"""Different patterns: compiling one takes up to 50 µs."""

_BESIDE_ONE = ("not", "if", "then", "else")
_BESIDE_LIST = ("allOf", "anyOf", "oneOf")
_BESIDE_MAP = ("dependentSchemas", "dependencies")
ANY_NAME = ""
"""Selects every member of an object. (As a name of its own, the empty one is counted with it.)"""
ANY_INDEX = -1
"""Selects every element of an array."""
_BELOW_ONE: dict[str, str | int] = {
    "additionalItems": ANY_INDEX,
    "additionalProperties": ANY_NAME,
    "contains": ANY_INDEX,
    "items": ANY_INDEX,
    "unevaluatedItems": ANY_INDEX,
    "unevaluatedProperties": ANY_NAME,
}
_COUNTED = re.compile(r"\{(\d{1,6})?,?(\d{1,6})?\}")
_MAX_CHARACTER_NS = 1000
"""Nanoseconds a pattern of 64 KiB takes for a character, at most (measured: 0.44 to 0.62 µs)."""


class Unsupported(Exception):
    """Something in the schema that we will not follow. The text says what."""


@dataclass(slots=True)
class Weight:
    """Upper bounds in nanoseconds, measured with a margin."""

    visit: int = 50
    """For looking at a value."""
    unique: int = 0
    """For each value below it, at any depth."""
    name_character: int = 0
    """For each character of the name of a member."""
    character: int = 0
    """For each character, where the value is a text."""

    def add(self, other: "Weight", times: int = 1) -> None:
        self.visit = min(self.visit + other.visit * times, _ENDLESS)
        self.unique = min(self.unique + other.unique * times, _ENDLESS)
        self.name_character = min(self.name_character + other.name_character * times, _ENDLESS)
        self.character = min(self.character + other.character * times, _ENDLESS)


@dataclass(slots=True)
class Node:
    """One subschema."""

    beside: list[int] = field(default_factory=list)
    """Those that apply to the same value."""
    below: list[tuple[str | int, int]] = field(default_factory=list)
    """Those that apply to the member of that name or the element of that index; ANY_NAME, ANY_INDEX: to all."""
    names: int | None = None
    """The one that applies to the names of members."""
    weight: Weight = field(default_factory=Weight)
    """Of it and of all beside it, theirs included."""
    order: int = 0
    """Smaller than that of everything beside it."""


class Graph:
    """All subschemas that can be reached from the root."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Raises Unsupported."""
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        """Every member name that stands in the schema."""
        self._schema = schema
        self._index: dict[int, int] = {}
        self._patterns: set[str] = set()
        self._to_read: list[tuple[Node, dict[str, Any]]] = []
        self.root = self._node(schema)
        while self._to_read:
            node, found = self._to_read.pop()
            self._read(node, found)
        self._sum_up()

    def _node(self, schema: dict[str, Any]) -> int:
        index = self._index.get(id(schema))
        if index is None:
            index = self._index[id(schema)] = len(self.nodes)
            if index >= MAX_NODES:
                raise Unsupported("it has more than 2,000 subschemas")
            node = Node()
            self.nodes.append(node)
            self._to_read.append((node, schema))
        return index

    def _read(self, node: Node, schema: dict[str, Any]) -> None:
        if schema is not self._schema and isinstance(schema.get("$id", schema.get("id")), str):
            raise Unsupported("it holds another schema with an `$id` of its own")
        if "$dynamicRef" in schema or "$recursiveRef" in schema:
            raise Unsupported("it has a dynamic reference")
        node.weight = _own_weight(schema)
        if "$ref" in schema:
            node.beside.append(self._node(self._resolve(schema["$ref"])))
        for keyword in _BESIDE_ONE:
            self._link_beside(node, schema.get(keyword))
        for keyword in _BESIDE_LIST:
            for each in _list(schema.get(keyword)):
                self._link_beside(node, each)
        for keyword in _BESIDE_MAP:
            for each in _map(schema.get(keyword)).values():
                self._link_beside(node, each)
        self._read_below(node, schema)

    def _link_beside(self, node: Node, schema: object) -> None:
        if isinstance(schema, dict):
            node.beside.append(self._node(schema))

    def _link_below(self, node: Node, selector: str | int, schema: object) -> None:
        if isinstance(schema, dict):
            node.below.append((selector, self._node(schema)))

    def _read_below(self, node: Node, schema: dict[str, Any]) -> None:
        for keyword, selector in _BELOW_ONE.items():
            self._link_below(node, selector, schema.get(keyword))
        for keyword in ("prefixItems", "items"):
            for number, each in enumerate(_list(schema.get(keyword))):
                self._link_below(node, number, each)
        for name, each in _map(schema.get("properties")).items():
            self.names.add(name)
            self._link_below(node, name, each)
        for pattern, each in _map(schema.get("patternProperties")).items():
            self._patterns.add(pattern)
            node.weight.name_character += pattern_ns(pattern)
            self._link_below(node, ANY_NAME, each)
        if isinstance(schema.get("propertyNames"), dict):
            node.names = self._node(schema["propertyNames"])
        if isinstance(schema.get("pattern"), str):
            self._patterns.add(schema["pattern"])
        if len(self._patterns) > MAX_PATTERNS:
            raise Unsupported("it has more than 200 different patterns")

    def _resolve(self, reference: object) -> dict[str, Any]:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise Unsupported("it has a reference that is not a JSON pointer into itself")
        found: Any = self._schema
        for part in unquote(reference).split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            elif isinstance(found, dict) and part in found:
                found = found[part]
            else:
                raise Unsupported("it has a reference to something that it does not hold")
        return found if isinstance(found, dict) else {}

    def _sum_up(self) -> None:
        """Add to each node's weight that of those beside it, which come first."""
        ordered = self._last_first()
        for number, index in enumerate(ordered):
            node = self.nodes[index]
            node.order = len(ordered) - number
            for beside in node.beside:
                node.weight.add(self.nodes[beside].weight)
        for node in self.nodes:
            if node.names is not None:
                node.weight.name_character += self.nodes[node.names].weight.character

    def _last_first(self) -> list[int]:
        """Every node after those beside it."""
        done: list[int] = []
        state = [_NEW] * len(self.nodes)
        for start in range(len(self.nodes)):
            stack = [start]
            while stack:
                index = stack[-1]
                if state[index] == _NEW:
                    state[index] = _BEGUN
                    stack.extend(self._not_done(index, state))
                    continue
                stack.pop()
                if state[index] == _BEGUN:
                    state[index] = _DONE
                    done.append(index)
        return done

    def _not_done(self, index: int, state: list[int]) -> list[int]:
        if any(state[beside] == _BEGUN for beside in self.nodes[index].beside):
            raise Unsupported("a part of it refers to itself without going a level deeper")
        return [beside for beside in self.nodes[index].beside if state[beside] == _NEW]


_NEW, _BEGUN, _DONE = range(3)
_ENDLESS = 10**12
"""Nanoseconds above which a bound is no bound."""


def _own_weight(schema: dict[str, Any]) -> Weight:
    visit = 50 + 30 * len(_list(schema.get("required"))) + _options_ns(_list(schema.get("enum")))
    if "const" in schema:
        visit += _options_ns([schema["const"]])
    for keyword in ("dependentRequired", "dependencies"):
        needed = _map(schema.get(keyword))
        visit += sum(20 + 30 * len(_list(names)) for names in needed.values())
    if "multipleOf" in schema:
        visit += 2000
    if "unevaluatedProperties" in schema or "unevaluatedItems" in schema:
        visit += 200
    pattern = schema.get("pattern")
    return Weight(
        visit=visit,
        unique=100 if schema.get("uniqueItems") is True else 0,
        character=pattern_ns(pattern) if isinstance(pattern, str) else 0,
    )


def _options_ns(options: list[Any]) -> int:
    """Texts and numbers are compared at once, arrays and objects byte by byte."""
    return sum(len(json.dumps(each)) * 45 if isinstance(each, dict | list) else 15 for each in options)


def pattern_ns(pattern: str) -> int:
    """For each character of a text: a linear engine takes at most as long as the pattern has states."""
    states = len(pattern)
    for low, high in _COUNTED.findall(pattern):
        states *= max(int(low or 0), int(high or 0), 1)
        if states > _MAX_CHARACTER_NS:
            return _MAX_CHARACTER_NS
    return min(states, _MAX_CHARACTER_NS)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
