"""`virtual create|list|show|set|add|drop|remove`: chosen tools, prompts and resources at URLs of their own."""

from collections.abc import Callable
from typing import Any

import click

from mcp_platform.cli import given, items
from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.table import render


@click.group(
    cls=LazyGroup,
    examples=[
        "mcp-platform virtual create research --server wiki --tool git/git_log --role researcher",
        "mcp-platform virtual show research",
    ],
    entries={
        "create": Entry("virtual", "create", "Make a virtual server from whole servers and single items."),
        "list": Entry("virtual", "list_virtuals", "List virtual servers."),
        "show": Entry("virtual", "show", "Show what agents see of one, what is left out and why, what it costs."),
        "set": Entry("virtual", "set_virtual", "Change its words, roles, search of tools, or switch it off."),
        "add": Entry("virtual", "add", "Offer more, or offer it under another name or description."),
        "drop": Entry("virtual", "drop", "Offer less."),
        "remove": Entry("virtual", "remove", "Remove a virtual server."),
    },
)
def virtual() -> None:
    """Offer chosen tools, prompts and resources of many servers at /mcp/NAME, beside everything at /mcp.

    A virtual server allows nothing: whoever uses it sees of its items what their own roles allow.
    """


def _words(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, metavar, text in (
        ("--instructions", "FILE", "Text for agents in place of its servers' own; `-` is stdin."),
        ("--description", "TEXT", "What it is for; agents read it."),
        ("--title", "TEXT", "Its name for people."),
    ):
        command = click.option(name, metavar=metavar, help=text)(command)
    return command


@click.command(
    cls=Page,
    examples=[
        "mcp-platform virtual create research --server wiki --tool git/git_log --role researcher",
        "mcp-platform virtual create everything --server git --server time --tool-search",
        "mcp-platform virtual create docs --prompt 'wiki/*' --resource 'wiki/*' --title 'Our docs'",
    ],
)
@click.argument("name")
@items.choice
@_words
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE", help="Only for who holds it. Repeatable. [default: all]"
)
@click.option("--tool-search", is_flag=True, help="Agents see two tools, to search and to call, in place of all.")
@with_session
def create(
    session: Session,
    /,
    *,
    name: str,
    title: str | None,
    description: str | None,
    instructions: str | None,
    roles: tuple[str, ...],
    tool_search: bool,
    **chosen: tuple[str, ...],
) -> None:
    """Make the virtual server NAME, served at /mcp/NAME.

    --server takes the tools of a server that say they only read; any other tool is named with --tool, after a look at
    `server tools`. Prompts and resources are named, too.
    """
    answer = session.ask(
        "virtual.create",
        name=name,
        title=title or "",
        description=description or "",
        instructions=_text(instructions) or "",
        roles=list(roles),
        tool_search=tool_search,
        **items.asked(chosen),
    )
    session.out.result(answer)
    if session.out.as_json:
        return
    session.out.line(f"Made virtual server {name}, at {answer['path']}: {items.count(answer['item_count'], 'item')}.")
    _print_items(session, answer)
    if not answer["item_count"]:
        session.out.advice(f"It offers nothing yet: mcp-platform virtual add {name} --tool SERVER/TOOL")


@click.command("list", cls=Page, examples=["mcp-platform virtual list"])
@with_session
def list_virtuals(session: Session) -> None:
    """List virtual servers, with about how many tokens an agent reads that lists all of one."""
    answer = session.ask("virtual.list")
    session.out.result(answer)
    if session.out.as_json:
        return
    if not answer["virtual_servers"]:
        session.out.line("No virtual servers. Make one: mcp-platform virtual create --help")
        return
    columns = ("path", "title", "roles", "item_count", "missing_count", "tokens", "tool_search", "enabled")
    heads = ("at", "title", "roles", "items", "left out", "tokens", "search", "enabled")
    rows = [[row[name] for name in columns] for row in answer["virtual_servers"]]
    session.out.line(render(heads, rows))


@click.command(cls=Page, examples=["mcp-platform virtual show research"])
@click.argument("name")
@with_session
def show(session: Session, *, name: str) -> None:
    """Show the virtual server NAME: its items as agents see them, those that are left out and why, and what its lists
    cost an agent in tokens, about: a quarter of their characters."""
    answer = session.ask("virtual.show", name=name)["virtual_servers"][0]
    session.out.result(answer)
    if session.out.as_json:
        return
    session.out.line(f"At           {answer['path']}{'' if answer['enabled'] else ' (switched off)'}")
    for label in ("Title", "Description", "Instructions"):
        for number, line in enumerate(answer[label.lower()].splitlines()):
            session.out.line(f"{'' if number else label:<13}{line}")
    session.out.line(f"For          {', '.join(answer['roles']) or 'everybody'}, each within their own roles")
    searched, listed = answer["tokens_with_search"], answer["tokens_without_search"]
    other = f"without the search of tools {listed}" if answer["tool_search"] else f"with --tool-search {searched}"
    session.out.line(f"Tokens       about {answer['tokens']}; {other}")
    _print_items(session, answer)


@click.command(
    "set",
    cls=Page,
    examples=[
        "mcp-platform virtual set research --title 'Research' --role researcher",
        "mcp-platform virtual set research --every-principal --tool-search",
        "mcp-platform virtual set research --disable",
    ],
)
@click.argument("name")
@_words
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="ROLE",
    help="Only for who holds it, in place of those before. Repeatable.",
)
@click.option("--every-principal", is_flag=True, help="For everybody, each within their own roles.")
@click.option("--tool-search/--no-tool-search", default=None, help="Whether agents see two tools in place of all.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it is served.")
@with_session
def set_virtual(
    session: Session,
    *,
    name: str,
    title: str | None,
    description: str | None,
    instructions: str | None,
    roles: tuple[str, ...],
    every_principal: bool,
    tool_search: bool | None,
    enabled: bool | None,
) -> None:
    """Change the virtual server NAME. What is not given stays; an empty text takes one away."""
    if roles and every_principal:
        raise click.UsageError("--role and --every-principal exclude each other.")
    wanted: dict[str, Any] = {
        "title": title,
        "description": description,
        "instructions": _text(instructions),
        "roles": list(roles) if roles or every_principal else None,
        "tool_search": tool_search,
        "enabled": enabled,
    }
    if all(value is None for value in wanted.values()):
        raise click.UsageError("Nothing is asked to change; give at least one option.")
    answer = session.ask("virtual.set", name=name, **wanted)
    session.out.result(answer)
    session.out.line(f"Changed virtual server {name}.")


@click.command(
    cls=Page,
    examples=[
        "mcp-platform virtual add research --server time",
        "mcp-platform virtual add research --tool git/git_log --as history --describe 'The last commits.'",
    ],
)
@click.argument("name")
@items.choice
@click.option("--as", "exposed", metavar="NAME", help="The name that agents see the one tool or prompt by.")
@click.option("--describe", metavar="TEXT", help="What agents read of the one item, in place of the server's words.")
@with_session
def add(
    session: Session, /, *, name: str, exposed: str | None, describe: str | None, **chosen: tuple[str, ...]
) -> None:
    """Offer more at the virtual server NAME. What it has already gets the name and description that are given now."""
    answer = session.ask("virtual.add", name=name, **items.asked(chosen, exposed=exposed, description=describe))
    session.out.result(answer)
    if session.out.as_json:
        return
    session.out.line(f"Added {items.count(answer['added'], 'item')} to virtual server {name}.")
    _print_items(session, answer)


@click.command(cls=Page, examples=["mcp-platform virtual drop research --tool git/git_log"])
@click.argument("name")
@items.named
@with_session
def drop(session: Session, /, *, name: str, **chosen: tuple[str, ...]) -> None:
    """Offer less at the virtual server NAME. Calls of it that run through there are cut."""
    asked = items.asked(chosen)["items"]
    if not asked:
        raise click.UsageError("Say what to drop: --tool, --prompt, --resource or --template.")
    session.out.result(session.ask("virtual.drop", name=name, items=asked))
    session.out.line(f"Dropped {items.count(len(asked), 'item')} from virtual server {name}.")


@click.command(cls=Page, examples=["mcp-platform virtual remove research"])
@click.argument("name")
@with_session
def remove(session: Session, *, name: str) -> None:
    """Remove the virtual server NAME. The servers behind it stay; calls that run through it are cut."""
    session.out.result(session.ask("virtual.remove", name=name))
    session.out.line(f"Removed virtual server {name}.")


def _text(path: str | None) -> str | None:
    """The text of a file; an empty path is an empty text."""
    return given.text_of(path, "file of instructions") if path else path


def _print_items(session: Session, answer: dict[str, Any]) -> None:
    there = [each for each in answer["items"] if each["missing"] is None]
    if there:
        session.out.line("")
        rows = [[each["kind"], each["server"], each["own"], each["exposed"], each["tokens"]] for each in there]
        session.out.line(render(["kind", "server", "its name", "agents see", "tokens"], rows))
    for each in answer["items"]:
        if each["missing"] is not None:
            session.out.warning(f"{each['kind']} {each['server']}/{each['own']} is left out: {each['missing']}")
    for role in answer["roles_missing"]:
        session.out.warning(f"role {role} does not exist: nobody comes in by it")
