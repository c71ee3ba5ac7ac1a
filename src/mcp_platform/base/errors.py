"""The error type and its registry.

Each feature declares its errors in its own `errors.py` with `define`; the reference page comes from `catalogue()`.
A `Fault` carries what a client may see: a stable code and one safe sentence. It never holds a value that somebody
sent, a secret, or a stack trace; the cause goes to the log beside the error id.
"""

from dataclasses import dataclass, field
from typing import Literal

Whose = Literal["caller", "upstream", "platform"]


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the catalogue."""

    code: str
    """Stable, for programs: lower_snake_case."""
    http: int
    """HTTP status, where the refusal is expressed as one."""
    jsonrpc: int
    """JSON-RPC code. Own codes lie outside -32768..-32000 (MCP 2026-07-28 reserves that range)."""
    text: str
    """One sentence: what was expected and what to do."""
    whose: Whose
    """Whose fault it is."""


_catalogue: dict[str, ErrorKind] = {}


def define(code: str, *, http: int, jsonrpc: int, text: str, whose: Whose) -> ErrorKind:
    """Register one kind of error. Two kinds with one code are a mistake in the program."""
    assert code not in _catalogue, f"error code {code} is defined twice"
    kind = ErrorKind(code=code, http=http, jsonrpc=jsonrpc, text=text, whose=whose)
    _catalogue[code] = kind
    return kind


def catalogue() -> dict[str, ErrorKind]:
    """Every kind defined so far, by code."""
    return dict(_catalogue)


@dataclass(slots=True, eq=False)
class Fault(Exception):
    """A refusal or failure of a known kind."""

    kind: ErrorKind
    detail: str | None = None
    """A safe sentence that replaces the kind's own; built from names we know, never from what somebody sent."""
    data: dict[str, object] = field(default_factory=dict)
    """Safe fields for programs (setting names, limits, JSON pointers). With `stage`, they and `detail` tell an operator
    how far a connection to a server behind us came; agents are not told those."""
    retry_after_s: float | None = None
    """When trying again makes sense, in seconds; None where it does not or is not known."""

    @property
    def text(self) -> str:
        return self.detail or self.kind.text

    def __str__(self) -> str:
        return f"{self.kind.code}: {self.text}"


# The kinds that no single feature owns.
INTERNAL = define(
    "internal_error",
    http=500,
    jsonrpc=-32603,
    text="The platform failed to answer; quote the error id to the operator, who finds the cause in the log.",
    whose="platform",
)
CONFIGURATION = define(
    "configuration_invalid",
    http=500,
    jsonrpc=-32603,
    text="The configuration is not valid; run `mcp-platform config check`.",
    whose="caller",
)
NOT_FOUND = define(
    "not_found",
    http=404,
    jsonrpc=-32602,
    text="No such thing is known here; list what there is and try again.",
    whose="caller",
)
CONFLICT = define(
    "conflict",
    http=409,
    jsonrpc=-32602,
    text="That name is taken; choose another.",
    whose="caller",
)
INVALID = define(
    "invalid_input",
    http=422,
    jsonrpc=-32602,
    text="The input does not have the expected form; see the command's --help.",
    whose="caller",
)
UNAVAILABLE = define(
    "unavailable",
    http=503,
    jsonrpc=-31503,
    text="The platform cannot take this request now; try again shortly.",
    whose="platform",
)
