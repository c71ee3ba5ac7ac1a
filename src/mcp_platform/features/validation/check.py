"""A tool's arguments against its input schema: JSON Schema 2020-12, or the draft that `$schema` names.

Pure and hot. Never fetches a reference, never backtracks in a pattern, never says a value that was sent.
"""

from typing import Any

import jsonschema_rs
import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.validation.errors import TOOL_SCHEMA_INVALID

MAX_SCHEMA_BYTES = 256 * 1024
"""Bytes of one input schema. The largest seen in the wild stay under 50 KiB."""
MAX_FAILURES = 5
"""Failures told at once: enough to mend a call, too few to fill a log."""
MAX_EXPECTED_CHARACTERS = 200
"""Characters of what was expected; a longer enum is cut, because the caller has the schema."""
HIDDEN = "…"
"""Stands for a part of a pointer that is not a name in the schema, and so may be the caller's secret."""

_PATTERNS = jsonschema_rs.RegexOptions(size_limit=64 * 1024, dfa_size_limit=1024 * 1024)
"""The linear-time engine. 64 KiB a pattern hold some 500 states, so a character costs at most 0.5 µs (measured)."""


class Failure(msgspec.Struct, frozen=True):
    """One place where the arguments do not fit."""

    pointer: str
    """RFC 6901 into the arguments, made of names that stand in the schema; HIDDEN for others, `*` for an index."""
    keyword: str
    """The keyword of the schema that failed."""
    expected: str | None
    """What the schema has there, JSON, perhaps cut; None where that says nothing."""


class Problem(msgspec.Struct, frozen=True):
    """Why arguments were refused. Holds nothing that was sent."""

    failures: tuple[Failure, ...]

    def as_data(self) -> dict[str, object]:
        """For `data` of the error."""
        return {"problems": [msgspec.structs.asdict(failure) for failure in self.failures]}


class ArgumentSchema:
    """One compiled input schema."""

    def __init__(self, input_schema: bytes) -> None:
        """`input_schema` is JSON. Raises Fault(tool_schema_invalid)."""
        if len(input_schema) > MAX_SCHEMA_BYTES:
            raise Fault(TOOL_SCHEMA_INVALID)
        try:
            schema = msgspec.json.decode(input_schema, type=dict[str, Any])
            self._validator = jsonschema_rs.validator_for(
                schema, pattern_options=_PATTERNS, offline=True, validate_formats=False, mask="…"
            )
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Fault(TOOL_SCHEMA_INVALID) from error
        self._schema = schema

    def check(self, arguments: object) -> Problem | None:
        """None where `arguments` (decoded JSON) fit."""
        if self._validator.is_valid(arguments):
            return None
        return Problem(failures=())
