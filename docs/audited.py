"""Lines of docs/reference/audited.md: what leaves which record, from the registries that decide it."""

import sys
from collections.abc import Callable, Iterable, Sequence

from mcp_platform.base.errors import ErrorKind, catalogue
from mcp_platform.control.registry import ACTIONS
from mcp_platform.wire.methods import METHODS

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]
DATA_PLANE = tuple(f"mcp_platform.{name}." for name in ("gateway", "net", "wire", "journal", "features.cors"))
BESIDES = (
    ("a notification", "`Answered`", "before it is acknowledged"),
    ("`GET /mcp`, a legacy session's stream, new or resumed", "`Answered`", "before it is opened"),
    ("`DELETE /mcp`, the end of a session", "`Answered`", "before it ends"),
    ("`GET /sse`, a stream of 2024-11-05; what is posted to it as any message", "`Answered`", "before it is opened"),
    ("each message of a batch", "as if it came alone", "as if it came alone"),
    ("a client's answer to a question of a server", "`Answered`", "before it is passed on"),
    ("`tools/call` of `search_tools` at a virtual server", "`Answered`", "before it is searched"),
    ("whatever is refused, from the first byte on", "`Refusal`", "not awaited; many of one address are summed up"),
)
NOT_RECORDED = (
    ("`GET /healthz`, `GET /readyz`, on both surfaces", "asked every second, by nobody known; nothing is told"),
    ("`OPTIONS` (CORS preflight)", "browsers send it without credentials; the request after it is recorded"),
    ("the console's page `/`, a set-up link that is good", "pages without content of the platform's"),
)


def lines(table: Table) -> list[str]:
    return [
        "# What is recorded",
        "",
        "By default and without a switch to turn it off: every request to the agents' surface, everything that control "
        "is asked, and every refusal of either. [Fields of each record](record-format.md). "
        "tests/journeys/test_counts.py sends each of these and counts.",
        "",
        "## Methods of MCP",
        "",
        *table(["Request", "Record", "When"], [*_methods(), *BESIDES]),
        "",
        "Arguments and results are recorded as the setting `journal.content` says: `none`, `hashed` (the default), "
        "`redacted` or `full`. They are never searchable; see [settings](settings.md).",
        "",
        "## Control: command line and REST API",
        "",
        "A change leaves a record `begun` before it happens and one with its outcome after; a read leaves one. Of the "
        "parameters, only those named here are kept with their values.",
        "",
        *table(["Action", "Tag", "Records", "Values kept of"], _actions()),
        "",
        "Beside actions, control records its start, its stop and its configuration, and a request for an action that "
        "there is not.",
        "",
        "## Refusals",
        "",
        "Every code of the [catalogue](errors.md) with the record that carries it as `error`.",
        "",
        *table(["Code", "Record"], _refusals()),
        "",
        "## What leaves no record",
        "",
        *table(["Request", "Why"], NOT_RECORDED),
    ]


def _methods() -> list[tuple[str, str, str]]:
    return [
        (f"`{name}`", "`Intent` and `Outcome`", "before it is sent to the server; before its answer is released")
        if method.sent
        else (f"`{name}`", "`Answered`", "before it is answered")
        for name, method in METHODS.items()
    ]


def _actions() -> list[tuple[str, str, str, str]]:
    return [
        (
            f"`{each.name}`",
            f"`{each.audit}`",
            "`Control`" if each.reads else "2 × `Control`",
            ", ".join(f"`{name}`" for name in each.records) or "-",
        )
        for each in ACTIONS.values()
    ]


def _refusals() -> list[tuple[str, str]]:
    data_plane = {
        value.code
        for name, module in list(sys.modules.items())
        if name.startswith(DATA_PLANE)
        for value in vars(module).values()
        if isinstance(value, ErrorKind)
    }
    return [
        (
            f"`{code}`",
            "`Refusal`, or `Outcome` of a call that was sent"
            if code in data_plane
            else "`Control`, `refused` or `failed`",
        )
        for code in sorted(catalogue())
    ]
