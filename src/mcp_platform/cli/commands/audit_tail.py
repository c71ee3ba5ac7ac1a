"""`audit tail`: the journal itself, as it is written. Works with control down, and before anything is in SQL."""

import json
import time
from typing import Any

import click

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.cli.commands.audit import query_of, shown, with_query
from mcp_platform.cli.data_folder import require_platform
from mcp_platform.cli.late import Late
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session

POLL_S = 0.2
_following = Late("cli.following")
_language = Late("features.audit.query")
_present = Late("features.audit.present")


@click.command(
    cls=Page,
    examples=[
        "mcp-platform audit tail",
        "mcp-platform audit tail outcome:refused --json",
        "mcp-platform audit tail -n 0 actor:ana",
    ],
)
@click.option("--lines", "-n", type=click.IntRange(0, 10_000), default=10, show_default=True, help="Of what is there.")
@click.option("--no-follow", is_flag=True, help="End after what is there.")
@with_query
@with_session
def tail(session: Session, *, query: tuple[str, ...], lines: int, no_follow: bool) -> None:
    """Follow the record as it is written, until Ctrl-C. With --json: one object a line.

    A call appears with its outcome; one that takes longer than five seconds appears as `open` before.
    """
    text = query_of(query)
    asked = _language.parse(text, clock.now())
    names = _names(session, text)
    follower = _following.Follower(session.data.journal, asked, names)
    try:
        for row in follower.begin(lines):
            _say(session, row, names)
        while not no_follow:
            for row in follower.more():
                _say(session, row, names)
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        return  # it is how one ends it
    finally:
        follower.close()


def _names(session: Session, query: str) -> dict[str, str]:
    """Names of principals, from control, where the record then says who followed it. It is read all the same where
    control does not answer: then of all times it is needed."""
    require_platform(session.data)
    try:
        found: dict[str, str] = session.ask("audit.follow", query=query, silence_s=5.0)["principals"]
    except Fault as fault:
        session.out.warning(f"Control does not answer ({fault.kind.code}): principals appear by their ids.")
        return {}
    return found


def _say(session: Session, row: Any, names: dict[str, str]) -> None:  # noqa: ANN401  # a Row, whose module is imported late
    told = _present.presented(row, names)
    if session.out.as_json:
        print(json.dumps(told, ensure_ascii=False), flush=True)
    else:
        print(shown(told), flush=True)
