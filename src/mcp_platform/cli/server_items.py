"""What servers offer, as the terminal shows it: a stranger's text, so it is cut short; the JSON has more of it."""

from typing import Any

from mcp_platform.cli.session import Session
from mcp_platform.cli.table import render

MAX_SHOWN = 60
"""Characters of a description in a table."""


def count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def shown_tools(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [tool for tool in answer.get("tools", []) if tool.get("exposed")]


def skipped_tools(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that agents cannot see whatever is approved."""
    listed = [*answer.get("skipped", []), *answer.get("tools", [])]
    return [tool for tool in listed if not tool.get("exposed") and tool.get("state") != "new"]


def print_tools(session: Session, shown: list[dict[str, Any]], skipped: list[dict[str, Any]]) -> None:
    if shown:
        session.out.line("")
        rows = [
            [
                tool.get("server"),
                tool["name"],
                "nothing" if tool.get("state") == "gone" else tool["exposed"] or "nothing",
                tool.get("state"),
                tool.get("tokens"),
                short(tool.get("description")),
            ]
            for tool in shown
        ]
        heads = ["server", "tool", "agents see", "state", "tokens, about", "what the server says it does"]
        first = 0 if any(row[0] for row in rows) else 1
        session.out.line(render(heads[first:], [row[first:] for row in rows]))
    for tool in skipped:
        session.out.warning(f"tool {tool['name']!r} is not for agents: {tool.get('skipped')}")


def print_problems(session: Session, answer: dict[str, Any]) -> None:
    """What a server could not list, though it says that it has some."""
    for kind, code in sorted(answer.get("problems", {}).items()):
        session.out.warning(f"its {kind} could not be listed: {code}")


def short(text: object) -> str:
    """The beginning of a description."""
    line = " ".join(str(text or "").split())
    return line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 1]}…"
