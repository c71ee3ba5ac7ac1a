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

ANY_NAME = ""
"""Selects every member of an object. (As a name of its own, the empty one is counted with it.)"""
ANY_INDEX = -1
"""Selects every element of an array."""
_BELOW: dict[str, str | int] = {
    "additionalItems": ANY_INDEX,
    "additionalProperties": ANY_NAME,
    "contains": ANY_INDEX,
    "items": ANY_INDEX,
    "prefixItems": ANY_INDEX,
    "unevaluatedItems": ANY_INDEX,
    "unevaluatedProperties": ANY_NAME,
}
"""Where one schema stands: what it applies to. A list of schemas applies to one element each."""
_BESIDE_MAP = frozenset({"dependencies", "dependentSchemas"})
_BESIDE = frozenset({"allOf", "anyOf", "else", "if", "not", "oneOf", "then"}) | _BESIDE_MAP
_NOTHING: dict[str, Any] = {}
"""One for all: nodes are known by the identity of their schema, so none may be made and thrown away."""
_DYNAMIC = frozenset({"$dynamicRef", "$recursiveRef"})
_HOLDING = frozenset({"$ref", "pattern", "patternProperties", "properties", "propertyNames", *_BELOW}) | _BESIDE
_WEIGHING = frozenset(
    {"const", "dependencies", "dependentRequired", "enum", "multipleOf", "pattern", "required", "unevaluatedItems"}
    | {"unevaluatedProperties", "uniqueItems"}
)
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
        if schema.keys() & _DYNAMIC:
            raise Unsupported("it has a dynamic reference")
        for keyword in schema.keys() & _WEIGHING:
            _weigh(node.weight, keyword, schema[keyword])
        for keyword in schema.keys() & _HOLDING:
            self._follow(node, keyword, schema[keyword])

    def _follow(self, node: Node, keyword: str, value: Any) -> None:  # noqa: ANN401  # any JSON
        if keyword == "$ref":
            node.beside.append(self._node(self._resolve(value)))
        elif keyword in _BESIDE:
            for each in _schemas(value, named=keyword in _BESIDE_MAP):
                node.beside.append(self._node(each))
        elif keyword == "properties":
            for name, each in _map(value).items():
                self.names.add(name)
                self._link_below(node, name, each)
        elif keyword == "propertyNames":
            node.names = self._node(_map(value))
        elif keyword in ("pattern", "patternProperties"):
            self._read_patterns(node, value)
        elif isinstance(value, list):
            for number, each in enumerate(value):
                self._link_below(node, number, each)
        else:
            self._link_below(node, _BELOW.get(keyword, ANY_INDEX), value)

    def _read_patterns(self, node: Node, value: object) -> None:
        if isinstance(value, str):
            self._patterns.add(value)
        for pattern, each in _map(value).items():
            self._patterns.add(pattern)
            node.weight.name_character += pattern_ns(pattern)
            self._link_below(node, ANY_NAME, each)
        if len(self._patterns) > MAX_PATTERNS:
            raise Unsupported("it has more than 200 different patterns")

    def _link_below(self, node: Node, selector: str | int, schema: object) -> None:
        if isinstance(schema, dict):
            node.below.append((selector, self._node(schema)))

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
        return _map(found)

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


def _weigh(weight: Weight, keyword: str, value: Any) -> None:  # noqa: ANN401  # any JSON
    """Add what one keyword of a schema takes."""
    if keyword == "required":
        weight.visit += 30 * len(_list(value))
    elif keyword in ("const", "enum"):
        weight.visit += _options_ns([value] if keyword == "const" else _list(value))
    elif keyword in ("dependencies", "dependentRequired"):
        weight.visit += sum(20 + 30 * len(_list(names)) for names in _map(value).values())
    elif keyword == "multipleOf":
        weight.visit += 2000
    elif keyword == "uniqueItems":
        weight.unique = 100 if value is True else 0
    elif keyword == "pattern":
        weight.character = pattern_ns(value) if isinstance(value, str) else 0
    else:
        weight.visit += 200  # unevaluated…: it looks at what the others looked at once more


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


def _schemas(value: object, *, named: bool) -> list[dict[str, Any]]:
    """The schemas in the value of a keyword that holds one, a list or (`named`) a map of them."""
    found: list[Any] = list(_map(value).values()) if named else (value if isinstance(value, list) else [value])
    return [each for each in found if isinstance(each, dict)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else _NOTHING
