"""`audit tail|search|verify|export|anchor`: the record of calls, refusals and changes."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from mcp_platform.base.errors import Fault, define
from mcp_platform.cli import contents
from mcp_platform.cli.formulas import csv_line
from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.output import printable
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.table import render

PAGE_ROWS = 1000
"""Rows asked for at once by `export`: under 1 MiB."""
OUTPUT_UNWRITABLE = define(
    "output_unwritable",
    http=409,
    jsonrpc=-32603,
    text="The output file is there already, or cannot be written; name a new one.",
    whose="caller",
)
QUERY_HELP = """

    QUERY is any of: field:value (several values with commas, `*` for any characters), field:-value to leave out
    (actor:-nobody), since: and until: (24h, 7d, 2026-11-22, 2026-11-22T10:00), and words, which are looked for in
    names. All of it must hold. Fields: actor, agent, key, session, address, method, endpoint (a virtual server),
    server, tool (also as server/tool), decision, rule, outcome, error, trace, kind, tag, target, tenant, definition,
    arguments, result, revision. Arguments and results themselves are
    searched by `audit search --content` alone.
"""


@click.group(
    cls=LazyGroup,
    examples=["mcp-platform audit tail", "mcp-platform audit search actor:ana since:24h"],
    entries={
        "tail": Entry("audit_tail", "tail", "Follow the record as it is written."),
        "search": Entry("audit", "search", "Find calls, refusals and changes."),
        "verify": Entry("audit_verify", "verify", "Prove a copy of the record whole, offline."),
        "export": Entry("audit", "export", "Write what a search finds as JSON lines or CSV."),
        "erase": Entry("audit_erase", "erase", "Make what somebody said in calls unreadable for ever."),
        "anchor": Entry("audit_anchor", "anchor", "Take the newest checkpoint to another place."),
    },
)
def audit() -> None:
    """Read and prove the record of every call, refusal and change."""


def with_query(function: Any) -> Any:  # noqa: ANN401  # a decorator of click's
    """Add QUERY, and say in the help what it may be."""
    function.__doc__ = f"{function.__doc__.rstrip()}{QUERY_HELP}"
    return click.argument("query", nargs=-1, metavar="[QUERY]…")(function)


def query_of(parts: tuple[str, ...]) -> str:
    """One query of the arguments as the shell split them: what it unquoted is quoted again."""
    return " ".join(part if not any(c.isspace() for c in part) else _quoted(part) for part in parts)


def _quoted(part: str) -> str:
    """`two words` is one word to look for; `actor:"two words"` lost its quotes to the shell."""
    if '"' in part:
        return part
    name, colon, value = part.partition(":")
    looks_like_query = ":" in value or any(each.partition(":")[1] for each in value.split()[1:])
    if looks_like_query:
        return part
    return f'{name}:"{value}"' if colon and name.lstrip("-").isalpha() else f'"{part}"'


@click.command(
    cls=Page,
    examples=[
        "mcp-platform audit search actor:ana since:24h",
        "mcp-platform audit search 'tool:github/*' outcome:refused,error --limit 200",
        "mcp-platform audit search kind:control actor:-system:control --json",
        "mcp-platform audit search --content 'invoice 4711' actor:ana since:7d",
    ],
)
@click.option("--limit", type=click.IntRange(1, 2000), default=50, show_default=True, help="Rows at most.")
@click.option("--oldest-first", is_flag=True, help="From the beginning, not from the end.")
@click.option("--cursor", metavar="TEXT", help="Go on where an earlier search ended: its `next`.")
@click.option("--content", metavar="TEXT", help="Only calls with TEXT in arguments or result, where they can be read.")
@click.option(
    "--examine", type=click.IntRange(1), default=20_000, show_default=True, help="Calls that --content looks into."
)
@with_query
@with_session
def search(
    session: Session,
    *,
    query: tuple[str, ...],
    limit: int,
    oldest_first: bool,
    cursor: str | None,
    content: str | None,
    examine: int,
) -> None:
    """Find calls, refusals and changes, newest first. One call is one row, with its outcome.

    With --content, calls that QUERY finds are opened one by one, and only those are shown in whose arguments or result
    the text stands, whatever its case.
    """
    asked: dict[str, Any] = {"query": query_of(query), "oldest_first": oldest_first or None}
    if content is not None:
        answer = contents.search(session, {**asked, "content": content}, limit, examine, cursor)
    else:
        answer = session.ask("audit.search", **asked, limit=limit, cursor=cursor)
    session.out.result(answer)
    if session.out.as_json:
        return
    if answer["rows"]:
        session.out.line(table(answer["rows"]) if content is None else contents.table(answer["rows"]))
    else:
        session.out.line("Nothing found.")
    if content is not None:
        session.out.line(contents.summary(answer))
    if answer["next"]:
        session.out.advice(f"There is more: add --cursor {answer['next']}")
    if not answer["complete"]:
        session.out.warning("The newest records are still being taken in; search again in a moment.")


HEADS = ("time", "actor", "agent", "what", "on", "outcome", "error", "ms", "address")


def table(rows: list[dict[str, Any]]) -> str:
    return render(HEADS, [cells(row) for row in rows])


def cells(row: dict[str, Any]) -> list[object]:
    """A row as people read it: what was done, on what."""
    what = row["tag"] or row["method"] or row["kind"]
    on = f"{row['server']}/{row['tool']}" if row["tool"] else row["target"]
    took = f"{row['latency_us'] / 1000:.1f}" if row["latency_us"] else ""
    time = f"{row['time'][:23]}Z".replace("T", " ")
    return [time, row["actor"], row["agent"], what, on, row["outcome"], row["error"], took, row["address"]]


@click.command(
    cls=Page,
    examples=[
        "mcp-platform audit export since:2026-11-01 until:2026-12-01 --format csv --output november.csv",
        "mcp-platform audit export actor:ana | jq -c 'select(.latency_us > 1000000)'",
    ],
)
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--output", metavar="FILE", help="A new file, mode 0600. Without it: stdout.")
@with_query
@with_session
def export(session: Session, *, query: tuple[str, ...], form: str, output: str | None) -> None:
    """Write all that a search finds, oldest first, as JSON lines or CSV.

    In CSV, cells that a spreadsheet would take for a formula begin with an apostrophe. With --json, which needs
    --output, the one object says how many rows were written.
    """
    if session.out.as_json and output is None:
        raise click.UsageError("--json needs --output: the rows themselves go to stdout otherwise.")
    if output is None:
        count = _write(session, query_of(query), form, sys.stdout)
    else:
        with _new_file(Path(output)) as stream:
            count = _write(session, query_of(query), form, stream)
        session.out.line(f"Wrote {count} rows to {output}.")
    session.out.result({"rows": count, "file": output})


def _new_file(path: Path) -> TextIO:
    try:
        handle = os.open(path.expanduser(), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Fault(OUTPUT_UNWRITABLE) from error
    return os.fdopen(handle, "w", encoding="utf-8", newline="")


def _write(session: Session, query: str, form: str, stream: TextIO) -> int:
    """Page by page: however much it is, no more than a page is in memory."""
    count, heads_written = 0, form != "csv"
    for rows in _pages(session, query):
        for row in rows:
            if not heads_written:
                stream.write(csv_line(row))
                heads_written = True
            stream.write(csv_line(row.values()) if form == "csv" else f"{json.dumps(row, ensure_ascii=False)}\n")
        count += len(rows)
        session.out.progress(f"{count} rows")
    stream.flush()
    return count


def _pages(session: Session, query: str) -> Iterator[list[dict[str, Any]]]:
    cursor: str | None = None
    while True:
        answer = session.ask("audit.search", query=query, limit=PAGE_ROWS, oldest_first=True, cursor=cursor)
        if answer["rows"]:
            yield answer["rows"]
        cursor = answer["next"]
        if cursor is None:
            if not answer["complete"]:
                session.out.warning("The newest records are still being taken in and may be missing here.")
            return


def shown(row: dict[str, Any]) -> str:
    """One line for people, as `tail` writes it."""
    return printable("  ".join(str(cell) for cell in cells(row) if cell not in ("", None)))
