"""A tool's arguments against its input schema: JSON Schema 2020-12, or the draft that `$schema` names.

Pure and hot. Never fetches a reference, never backtracks in a pattern, never says a value that was sent.
"""

import itertools
from typing import Any

import jsonschema_rs
import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.validation.cost import TooCostly, count, measure
from mcp_platform.features.validation.errors import TOOL_SCHEMA_INVALID
from mcp_platform.features.validation.graph import Graph, Unsupported

MAX_SCHEMA_BYTES = 256 * 1024
"""Bytes of one input schema. The largest seen in the wild stay under 50 KiB."""
MAX_FAILURES = 5
"""Failures told at once: enough to mend a call, too few to fill a log."""
MAX_EXPECTED_CHARACTERS = 200
"""Characters of what was expected; a longer enum is cut, because the caller has the schema."""
HIDDEN = "…"
"""Stands for a part of a pointer that is not a name in the schema, and so may be the caller's secret."""

BUDGET_NS = 10_000_000
"""Nanoseconds that one check may take by the bound of cost.py, which leaves as much again for a slow machine: nothing
that comes from outside holds the loop for more than 20 ms."""
MAX_EXPLAINED_VALUES = 500
"""Values in arguments whose mistakes are told one by one: each told mistake costs some 10 µs."""
EXPLAIN_NS = 2_000_000
"""Nanoseconds of checking above which no mistakes are told one by one."""

_PATTERNS = jsonschema_rs.RegexOptions(size_limit=64 * 1024, dfa_size_limit=1024 * 1024)
"""The linear-time engine. 64 KiB a pattern hold some 500 states, so a character costs some 0.5 µs at most."""
_WITHOUT_EXPECTATION = frozenset(
    {"additionalProperties", "allOf", "anyOf", "contains", "items", "not", "oneOf", "properties", "propertyNames"}
    | {"unevaluatedItems", "unevaluatedProperties", "$ref", "falseSchema"}
)
"""Keywords whose value is a schema: it would say more than it helps."""


class Failure(msgspec.Struct, frozen=True):
    """One place where the arguments do not fit."""

    pointer: str
    """RFC 6901 into the arguments, made of indices and of names that stand in the schema; HIDDEN for other names."""
    keyword: str
    """The keyword of the schema that failed; `ceiling` where the arguments are more than can be checked in time."""
    expected: str | None
    """What the schema has there, JSON, perhaps cut; None where that says nothing."""


class Problem(msgspec.Struct, frozen=True):
    """Why arguments were refused. Holds nothing that was sent."""

    failures: tuple[Failure, ...]

    def as_data(self) -> dict[str, object]:
        """For `data` of the error."""
        return {"problems": [msgspec.structs.asdict(failure) for failure in self.failures]}


_TOO_MUCH = Problem((Failure("", "ceiling", "fewer values and shorter texts: these take too long to check"),))
_UNEXPLAINED = Problem((Failure("", "schema", None),))


class ArgumentSchema:
    """One compiled input schema."""

    __slots__ = ("_cost", "_names", "_schema", "_short_bytes", "_validator")

    def __init__(self, input_schema: bytes) -> None:
        """`input_schema` is JSON. Raises Fault(tool_schema_invalid), whose text says why."""
        if len(input_schema) > MAX_SCHEMA_BYTES:
            raise _invalid("it is larger than 256 KiB")
        try:
            self._schema = msgspec.json.decode(input_schema, type=dict[str, Any])
            graph = Graph(self._schema)
            self._cost = measure(graph)
            self._validator = jsonschema_rs.validator_for(
                self._schema, pattern_options=_PATTERNS, offline=True, validate_formats=False, mask=HIDDEN
            )
        except Unsupported as error:
            raise _invalid(str(error)) from error
        except TooCostly as error:
            raise _invalid("checking arguments against it could take without end") from error
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise _invalid("it is not a schema of the draft that it names") from error
        self._names = graph.names
        self._short_bytes = BUDGET_NS // self._cost.of_byte()
        """JSON up to this long is checked in time whatever it holds, and need not be counted."""

    def check(self, arguments: object, json_bytes: int | None = None) -> Problem | None:
        """None where `arguments` (decoded JSON) fit. `json_bytes`: how long their JSON is at most, if that is known."""
        if json_bytes is not None and json_bytes <= self._short_bytes and self._validator.is_valid(arguments):
            return None
        cost_ns, values = count(arguments, self._cost, BUDGET_NS)
        if cost_ns > BUDGET_NS:
            return _TOO_MUCH
        if self._validator.is_valid(arguments):
            return None
        if values > MAX_EXPLAINED_VALUES or cost_ns > EXPLAIN_NS:
            return _UNEXPLAINED
        errors = itertools.islice(self._validator.iter_errors(arguments), MAX_FAILURES)
        return Problem(tuple(self._failure(error) for error in errors)) or _UNEXPLAINED

    def _failure(self, error: jsonschema_rs.ValidationError) -> Failure:
        keyword = error.kind.name
        return Failure(self._pointer(error.instance_path), keyword, self._expected(error, keyword))

    def _pointer(self, path: list[str | int]) -> str:
        parts = []
        for part in path:
            known = isinstance(part, int) or part in self._names
            parts.append(str(part).replace("~", "~0").replace("/", "~1") if known else HIDDEN)
        return "".join(f"/{part}" for part in parts)

    def _expected(self, error: jsonschema_rs.ValidationError, keyword: str) -> str | None:
        """Read from the schema, never from the error: an error can hold what was sent."""
        if keyword in _WITHOUT_EXPECTATION:
            return None
        if keyword == "required" and isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
            return _cut(error.kind.property)  # the missing name, which stands in the schema
        found: Any = self._schema
        for part in error.schema_path:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return _cut(found)


def _cut(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_EXPECTED_CHARACTERS else text[:MAX_EXPECTED_CHARACTERS] + HIDDEN


def _invalid(why: str) -> Fault:
    return Fault(TOOL_SCHEMA_INVALID, f"The tool's input schema cannot be enforced, because {why}.")
