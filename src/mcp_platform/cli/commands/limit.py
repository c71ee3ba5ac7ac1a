"""`limit set|list|remove`: how often which requests are answered."""

import re
from typing import Any

import click

from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.table import render
from mcp_platform.cli.times import parse_duration

_RATE = re.compile(r"([0-9]{1,10})/([0-9]*[smhdw])")
_SIZES = ((604_800, "w"), (86_400, "d"), (3600, "h"), (60, "m"))


@click.group(
    cls=LazyGroup,
    examples=["mcp-platform limit set searches --rate 30/m --burst 5 --tool web/search", "mcp-platform limit list"],
    entries={
        "set": Entry("limit", "set_limit", "Make a limit, or replace the one of that name."),
        "list": Entry("limit", "list_limits", "List the limits."),
        "remove": Entry("limit", "remove", "Remove a limit."),
    },
)
def limit() -> None:
    """Say how often which requests are answered. Every limit that covers a request must have room for it.

    A new platform has two: `failed-authentication`, by address, and `each-principal`.
    """


@click.command(
    "set",
    cls=Page,
    examples=[
        "mcp-platform limit set daily --rate 1000/d",
        "mcp-platform limit set searches --rate 30/m --burst 5 --tool web/search",
        "mcp-platform limit set batch --rate 5000/s --principal nightly-batch",
        "mcp-platform limit set probes --rate 10/s --by address --endpoint /healthz",
        "mcp-platform limit set commits --rate 100/h --tool 'git/*' --shadow",
    ],
)
@click.argument("name")
@click.option(
    "--rate", required=True, metavar="COUNT/PERIOD", help="Requests in each period: 10/s, 600/m, 1000/d, 20/15m."
)
@click.option("--burst", type=click.IntRange(min=1), metavar="N", help="Requests at one moment. [default: COUNT]")
@click.option(
    "--by",
    type=click.Choice(["principal", "address", "everyone"]),
    default="principal",
    show_default=True,
    help="Who shares one counter. `address`: requests without a good credential. `everyone`: all callers together. "
    "Warning: `everyone` allows one caller to use up what all share.",
)
@click.option(
    "--endpoint",
    metavar="PATH|METHOD",
    help="Only this path (/mcp, which is every /mcp/NAME too, or one /mcp/NAME) or method of MCP (tools/list). "
    "[default: all]",
)
@click.option("--tool", metavar="SERVER/TOOL", help="Only calls of these tools; `*` stands for any server or any tool.")
@click.option(
    "--principal",
    metavar="NAME",
    help="Only for this principal, which must exist, in place of a limit for each with the same scope.",
)
@click.option(
    "--shadow",
    is_flag=True,
    help="Warning: this allows what is above the limit: it is counted and written to the log, never refused.",
)
@click.option(
    "--strict", is_flag=True, help="Refuse what names a server or tool that is not there; else it is warned of."
)
@with_session
def set_limit(
    session: Session,
    *,
    name: str,
    rate: str,
    burst: int | None,
    by: str,
    endpoint: str | None,
    tool: str | None,
    principal: str | None,
    shadow: bool,
    strict: bool,
) -> None:
    """Make the limit NAME, or replace it whole: what is not given is at its default again, whatever it was before. Its
    counters begin anew when its rate or burst changes."""
    count, period_s = _rate(rate)
    answer = session.ask(
        "limit.set",
        name=name,
        count=count,
        period_s=period_s,
        burst=burst,
        by=by,
        endpoint=endpoint,
        tool=tool,
        principal=principal,
        shadow=shadow,
        strict=strict or None,
    )
    session.out.result(answer)
    session.out.line(f"{'Changed' if answer['replaced'] else 'Made'} limit {name}: {_in_words(answer)}.")
    if shadow:
        session.out.advice("It refuses nothing: look for `limit_would_refuse` in the log, then set it for good.")


@click.command("list", cls=Page, examples=["mcp-platform limit list"])
@with_session
def list_limits(session: Session) -> None:
    """List the limits."""
    answer = session.ask("limit.list")
    session.out.result(answer)
    if session.out.as_json:
        return
    rows = [
        [row["name"], _rate_text(row), row["burst"], row["principal"] or row["by"], _scope(row), row["shadow"]]
        for row in answer["limits"]
    ]
    session.out.line(render(["name", "rate", "burst", "counted by", "requests", "shadow"], rows))
    session.out.advice("")
    session.out.advice("Set one: mcp-platform limit set NAME --rate COUNT/PERIOD")


@click.command(cls=Page, examples=["mcp-platform limit remove daily"])
@click.argument("name")
@with_session
def remove(session: Session, *, name: str) -> None:
    """Remove the limit NAME."""
    session.out.result(session.ask("limit.remove", name=name))
    session.out.line(f"Removed limit {name}.")


def _rate(text: str) -> tuple[int, float]:
    match = _RATE.fullmatch(text)
    period = match[2] if match is not None else ""
    seconds = parse_duration(period if period[:1].isdigit() else f"1{period}")
    if match is None or seconds is None:
        raise click.UsageError("--rate: expected COUNT/PERIOD, for example 10/s, 600/m, 1000/d or 20/15m.")
    return int(match[1]), float(seconds)


def _rate_text(row: dict[str, Any]) -> str:
    seconds = row["period_s"]
    for size, unit in _SIZES:
        if seconds >= size and seconds % size == 0:
            return f"{row['count']}/{int(seconds // size) if seconds > size else ''}{unit}"
    return f"{row['count']}/{f'{seconds:g}' if seconds != 1 else ''}s"


def _scope(row: dict[str, Any]) -> str:
    return str(row["tool"] or ("all" if row["endpoint"] == "*" else row["endpoint"]))


def _in_words(row: dict[str, Any]) -> str:
    who = {"address": "address without a good credential", "principal": "principal"}.get(row["by"])
    whose = f"for {row['principal']}" if row["principal"] else f"for each {who}" if who else "for all callers together"
    return f"{_rate_text(row)}, at most {row['burst']} at once, {whose}, {_scope(row)}"
