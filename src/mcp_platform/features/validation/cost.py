"""How long checking a value can take with a given schema, at most: worked out once, from the schema alone.

A validator visits a value once for each subschema that applies to it. Where subschemas refer to each other, that
number can double with each level of the value (`anyOf` two schemas that both go on with `items`), so it is counted
place by place. Schemas in which it grows beyond bounds are refused; for the others a value's cost is a product.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mcp_platform.features.validation.graph import ANY_INDEX, ANY_NAME, Graph, Weight

MAX_STEPS = 20_000
"""Steps of the walk itself: some 10 ms. A schema with 2,000 properties takes 4,000."""
MAX_VALUE_NS = 1_000_000
"""Nanoseconds for one value: more would let 20 values hold the loop too long."""
MAX_LEVELS = 128
"""Levels of a value, as wire.json_text has it."""
WALK_NS = 200
"""Nanoseconds for counting a value and for the validator's own look at it."""
WALK_OBJECT_NS = 250
"""Nanoseconds that an object takes besides."""

BIT_NS = 200
"""Nanoseconds for each bit of an integer beyond 64: dividing by a fraction (`multipleOf`) takes 2 ms for 13,000."""


class TooCostly(Exception):
    """The schema's cost has no bound that we could hold to."""


@dataclass(slots=True)
class Cost:
    """Upper bounds, in nanoseconds."""

    value_ns: int = WALK_NS
    """For any one value in the arguments."""
    name_character_ns: int = 0
    """For each character of a member's name."""
    character_ns: dict[str, int] = field(default_factory=dict)
    """For each character of a text, by the name of the member that it is the value of. ANY_NAME: of any other."""

    def of_byte(self) -> int:
        """For any one byte of the arguments' JSON: no value, character or member of theirs is shorter."""
        characters = max(self.character_ns.values(), default=0)
        bits = 4 * BIT_NS  # a digit holds 3.3
        return self.value_ns + WALK_OBJECT_NS + self.name_character_ns + characters + bits

    def of_text(self, name: str) -> int:
        found = self.character_ns.get(name)
        return self.character_ns.get(ANY_NAME, 0) if found is None else found


State = dict[int, int]
"""What applies to one value: subschema → how often. Those beside them are not named."""


def measure(graph: Graph) -> Cost:
    """Walks every kind of place that a value can stand at. Raises TooCostly."""
    cost = Cost()
    unique_ns = steps = deepest = 0
    waiting: deque[tuple[State, str, int]] = deque([({graph.root: 1}, ANY_NAME, 0)])
    seen: set[frozenset[tuple[int, int]]] = set()
    recursive = False
    while waiting:
        state, name, depth = waiting.popleft()
        unique_ns = max(unique_ns, _note(graph, state, name, cost))
        known = frozenset(state.items())
        recursive = recursive or known in seen
        if known in seen or depth >= MAX_LEVELS:
            continue
        seen.add(known)
        deepest = max(deepest, depth)
        applied = _spread(graph, state)
        steps += len(applied)
        for selector, found in _below(graph, applied):
            steps += len(found)
            waiting.append((found, selector if isinstance(selector, str) else ANY_NAME, depth + 1))
        if steps > MAX_STEPS:
            raise TooCostly
    # A value is hashed once more for each array above it whose elements must differ.
    cost.value_ns += unique_ns * (MAX_LEVELS if recursive else deepest + 1)
    if cost.value_ns > MAX_VALUE_NS:
        raise TooCostly
    return cost


def _note(graph: Graph, state: State, name: str, cost: Cost) -> int:
    """Raise `cost` to that of a value in `state`; returns what `uniqueItems` takes there. Raises TooCostly."""
    sum_of = Weight(visit=0)
    for index, times in state.items():
        sum_of.add(graph.nodes[index].weight, times)
    cost.value_ns = max(cost.value_ns, WALK_NS + sum_of.visit)
    cost.name_character_ns = max(cost.name_character_ns, sum_of.name_character)
    cost.character_ns[name] = max(cost.character_ns.get(name, 0), sum_of.character)
    if cost.value_ns > MAX_VALUE_NS:
        raise TooCostly
    return sum_of.unique


def _spread(graph: Graph, state: State) -> State:
    """Every subschema that applies to a value in `state`, those beside them included."""
    times = dict(state)
    waiting = [(graph.nodes[index].order, index) for index in state]
    heapq.heapify(waiting)
    queued = set(state)
    while waiting:
        _, index = heapq.heappop(waiting)
        for beside in graph.nodes[index].beside:
            times[beside] = times.get(beside, 0) + times[index]
            if times[beside] > MAX_VALUE_NS:
                raise TooCostly
            if beside not in queued:
                queued.add(beside)
                heapq.heappush(waiting, (graph.nodes[beside].order, beside))
    return times


def _below(graph: Graph, applied: State) -> Iterator[tuple[str | int, State]]:
    """What applies one level below, for every name and index that the schema tells apart, and for all others."""
    found: dict[str | int, State] = {}
    for index, times in applied.items():
        for selector, below in graph.nodes[index].below:
            state = found.setdefault(selector, {})
            state[below] = state.get(below, 0) + times
    for selector, state in found.items():
        everywhere = found.get(ANY_NAME if isinstance(selector, str) else ANY_INDEX, {})
        if state is not everywhere:
            for below, times in everywhere.items():
                state[below] = state.get(below, 0) + times
        yield selector, state


def count(arguments: Any, cost: Cost, budget_ns: int) -> tuple[int, int]:  # noqa: ANN401  # any JSON
    """What checking `arguments` costs at most, and how many values they are; stops counting above `budget_ns`."""
    total = values = 0
    waiting: list[tuple[str, Any]] = [(ANY_NAME, arguments)]
    value_ns, name_ns = cost.value_ns, cost.name_character_ns
    while waiting and total <= budget_ns:
        name, value = waiting.pop()
        total += value_ns
        values += 1
        kind = type(value)
        if kind is str:
            total += len(value) * cost.of_text(name)
        elif kind is dict:
            waiting.extend(value.items())
            total += WALK_OBJECT_NS
            total += name_ns * sum(map(len, value)) if name_ns else 0
        elif kind is list:
            if len(value) * value_ns > budget_ns:
                return len(value) * value_ns, values
            waiting.extend((ANY_NAME, item) for item in value)
        elif kind is int and not -(1 << 63) <= value < 1 << 64:
            total += value.bit_length() * BIT_NS
    return total, values
