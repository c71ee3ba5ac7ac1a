"""`server list|tools|prompts|resources|refresh|approve`: what the MCP servers offer, and what of it is approved."""

from typing import Any

import click

from mcp_platform.base import clock
from mcp_platform.cli import times
from mcp_platform.cli.page import Page
from mcp_platform.cli.server_changes import print_changes
from mcp_platform.cli.server_items import count, print_problems, print_tools, short, skipped_tools
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.table import render


@click.command("list", cls=Page, examples=["mcp-platform server list", "mcp-platform server list --json"])
@with_session
def list_servers(session: Session) -> None:
    """List servers: where they are, what they speak, whether they are reached and how much they offer to agents.

    A server that is not reached keeps the lists that it gave last.
    """
    answer = session.ask("server.list")
    session.out.result(answer)
    if session.out.as_json:
        return
    if not answer["servers"]:
        session.out.line("No servers. Add one: mcp-platform server add NAME URL, or NAME -- COMMAND")
        return
    rows = [
        [
            row["name"],
            row["transport"],
            row.get("url") or row.get("program"),
            row["era"],
            _health(row),
            row["tools"],
            row["prompts"],
            f"{row['resources']}+{row['templates']}",
        ]
        for row in answer["servers"]
    ]
    heads = ["name", "transport", "where", "speaks", "health", "tools", "prompts", "resources+templates"]
    session.out.line(render(heads, rows))
    for row in answer["servers"]:
        if row["awaiting"]:
            waiting = count(row["awaiting"], "tool")
            session.out.advice(f"{waiting} of {row['name']} new or changed: mcp-platform server tools {row['name']}")


def _health(row: dict[str, Any]) -> str:
    if not row.get("stale"):
        return "ok"
    return f"stale since {times.moment(row['stale_at'], clock.now())}: {row['stale']}"


@click.command(cls=Page, examples=["mcp-platform server tools", "mcp-platform server tools time"])
@click.argument("name", required=False)
@with_session
def tools(session: Session, *, name: str | None) -> None:
    """List the tools of the server NAME, or of all, and the names that agents see.

    A tool that is `new` agents do not see; one that is `changed` they see as it was approved; one that is `gone` its
    server lists no more. Tokens are what a model reads for the definition, about: a token for four characters.
    """
    answer = session.ask("server.tools", name=name)
    session.out.result(answer)
    if session.out.as_json:
        return
    shown = [tool for tool in answer["tools"] if tool["exposed"] or tool["state"] == "new"]
    if not shown:
        session.out.line("No tool that agents can see. Add a server: mcp-platform server add --help")
    print_tools(session, shown, skipped_tools(answer))
    if shown:
        session.out.line(f"\nAgents who see all of these read about {answer['tokens']} tokens for them.")
    for tool in shown:
        if tool.get("unusable"):
            session.out.warning(f"tool {tool['name']!r} cannot be approved as it is now: {tool['unusable']}")
    if any(tool["state"] in ("new", "changed") for tool in shown):
        session.out.advice("See what is new or changed: mcp-platform server approve NAME --show; then approve it.")


@click.command(cls=Page, examples=["mcp-platform server prompts", "mcp-platform server prompts wiki"])
@click.argument("name", required=False)
@with_session
def prompts(session: Session, *, name: str | None) -> None:
    """List the prompts of the server NAME, or of all, and the names that agents see."""
    answer = session.ask("server.prompts", name=name)
    session.out.result(answer)
    if not session.out.as_json:
        _print_items(session, answer["prompts"], "prompt")


@click.command(cls=Page, examples=["mcp-platform server resources", "mcp-platform server resources wiki"])
@click.argument("name", required=False)
@with_session
def resources(session: Session, *, name: str | None) -> None:
    """List the resources and resource templates of the server NAME, or of all, and the URIs that agents see.

    Every resource can be read as mcpp://SERVER/ and its percent-encoded URI too, listed or not.
    """
    answer = session.ask("server.resources", name=name)
    session.out.result(answer)
    if not session.out.as_json:
        _print_items(session, answer["resources"], "resource")


def _print_items(session: Session, items: list[dict[str, Any]], thing: str) -> None:
    shown = [item for item in items if item["exposed"]]
    if shown:
        rows = [
            [
                item["server"],
                item["name"],
                "the same" if item["exposed"] == item["name"] else item["exposed"],
                short(item["description"]),
            ]
            for item in shown
        ]
        session.out.line(render(["server", thing, "agents see", "what the server says of it"], rows))
    else:
        session.out.line(f"No {thing} that agents can see.")
    for item in items:
        if not item["exposed"]:
            session.out.warning(f"{thing} {item['name']!r} is not for agents: {item['skipped']}")


@click.command(cls=Page, examples=["mcp-platform server refresh time"])
@click.argument("name")
@with_session
def refresh(session: Session, *, name: str) -> None:
    """List again what the server NAME offers. The platform does so by itself when the server announces a change, and
    now and then; new and changed tools await approval."""
    answer = session.ask("server.refresh", name=name)
    session.out.result(answer)
    if session.out.as_json:
        return
    changed = ", ".join(answer["lists"]) or "nothing"
    session.out.line(
        f"Server {name} answers ({answer['era']}) after {answer['ms']:.0f} ms. Other for agents now: {changed}."
    )
    for change, means in (
        ("new", "await approval"),
        ("changed", "await approval; agents see them as they were approved"),
        ("gone", "agents see them no more"),
        ("accepted", "approved at once, as said when the server was added"),
    ):
        if answer[change]:
            session.out.line(f"{change.capitalize()}: {', '.join(answer[change])} ({means})")
    print_problems(session, answer)
    if answer["awaiting"]:
        session.out.advice(
            f"Next: mcp-platform server approve {name} --show, then mcp-platform server approve {name} TOOL..."
        )


@click.command(
    cls=Page,
    examples=[
        "mcp-platform server approve time --show",
        "mcp-platform server approve time convert_time",
        "mcp-platform server approve time --all --seen 3f0c2a9d51e7b846",
    ],
)
@click.argument("name")
@click.argument("names", nargs=-1, metavar="[TOOL]...")
@click.option("--all", "everything", is_flag=True, help="Every tool of the server that is new or changed.")
@click.option("--show", is_flag=True, help="Approve nothing; show what is new or changed in them, or in all.")
@click.option("--seen", metavar="WORD", help="Approve only what --show said this of, and nothing that came later.")
@with_session
def approve(
    session: Session, *, name: str, names: tuple[str, ...], everything: bool, show: bool, seen: str | None
) -> None:
    """Approve tools of the server NAME that are new or changed, as it was last seen to list them."""
    if show and (everything or seen is not None):
        raise click.UsageError("--show approves nothing, and shows every one where no tool is named.")
    if show:
        print_changes(session, name, names)
        return
    if everything == bool(names):
        raise click.UsageError("Name the tools, or say --all.")
    answer = session.ask("server.approve", name=name, tools=None if everything else list(names), seen=seen)
    session.out.result(answer)
    if session.out.as_json:
        return
    approved = ", ".join(answer["approved"])
    session.out.line(
        f"Approved {count(answer['approved_count'], 'tool')} of {name}: {approved}"
        if approved
        else f"No tool of {name} awaits approval."
    )
    for tool in answer["nameless"]:
        session.out.warning(f"tool {tool!r} is not for agents: its name is another tool's, or not one clients take")
