"""What waits for approval, as the terminal shows it: each difference, what agents have before what they would get."""

import shlex
from collections.abc import Iterator
from typing import Any

from mcp_platform.cli.server_items import count
from mcp_platform.cli.session import Session


def print_changes(session: Session, name: str, tools: tuple[str, ...]) -> None:
    """Those of the named tools, or of all that wait."""
    answers = [session.ask("server.changes", name=name, tool=tool) for tool in tools or (None,)]
    shown = [tool for answer in answers for tool in answer["tools"]]
    more = sum(answer["more"] for answer in answers)
    seen = {"seen": answers[0]["seen"]} if len(answers) == 1 else {}
    session.out.result({"name": name, "tools": shown, "more": more, **seen})
    if not shown:
        session.out.line(f"No tool of {name} awaits approval.")
    for tool in shown:
        session.out.line(f"{tool['name']} is {tool['state']}:")
        for difference in tool["differences"]:
            for line in _lines(difference):
                session.out.line(f"  {line}")
        if tool["left_out"]:
            session.out.warning(f"{count(tool['left_out'], 'more difference')} of {tool['name']}; name it alone.")
    if more:
        session.out.warning(f"{count(more, 'more tool')} did not fit; name them one by one.")
    elif shown and seen:
        which = shlex.quote(tools[0]) if tools else "--all"
        session.out.advice(f"Approve exactly this: mcp-platform server approve {name} {which} --seen {seen['seen']}")


def _lines(difference: dict[str, Any]) -> Iterator[str]:
    yield f"{difference['at']}:"
    for sign, side in (("-", "before"), ("+", "after")):
        if difference[side] is not None:
            for line in difference[side].split("\n"):
                yield f"{sign} {line}"
    if difference["cut"]:
        yield f"  … {count(difference['cut'], 'more character')}"
