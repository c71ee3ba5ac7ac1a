"""`server add|remove|test|mark`: the MCP servers behind the platform. What they offer is server_offers.py."""

import shlex
from pathlib import Path
from typing import Any

import click

from mcp_platform.cli import given
from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.server_items import count, print_problems, print_tools, shown_tools, skipped_tools
from mcp_platform.cli.session import Session, with_session


@click.group(
    cls=LazyGroup,
    examples=[
        "mcp-platform server add time -- uvx mcp-server-time",
        "mcp-platform server tools time",
        "mcp-platform server test time",
    ],
    entries={
        "add": Entry("server", "add", "Connect to a server, list its tools and let agents use them."),
        "list": Entry("server_offers", "list_servers", "List servers, whether they are reached and what they offer."),
        "remove": Entry("server", "remove", "Take a server away, its secrets too; its tools' names stay reserved."),
        "tools": Entry("server_offers", "tools", "List tools, the names that agents see and what they cost them."),
        "prompts": Entry("server_offers", "prompts", "List prompts and the names that agents see."),
        "resources": Entry("server_offers", "resources", "List resources and the URIs that agents see."),
        "refresh": Entry("server_offers", "refresh", "List again what a server offers."),
        "approve": Entry("server_offers", "approve", "Approve tools that are new or changed."),
        "test": Entry("server", "test", "Connect to a server and say how far it gets."),
        "mark": Entry("server", "mark", "Say whether a tool changes nothing."),
    },
)
def server() -> None:
    """Manage the MCP servers behind the platform."""


@click.command(
    cls=Page,
    examples=[
        "mcp-platform server add docs https://mcp.example.com/mcp --header 'Authorization: @file:token.txt'",
        "mcp-platform server add time -- uvx mcp-server-time",
        "mcp-platform server add git --env-file git.env --cwd /srv/repo -- mcp-server-git --repository .",
    ],
)
@click.argument("name")
@click.argument("target", nargs=-1, required=True, type=click.UNPROCESSED, metavar="URL | -- COMMAND [ARGS]...")
@click.option(
    "--header", multiple=True, metavar="'K: V'", help="A header for an HTTP server. V may be @file:PATH. Repeatable."
)
@click.option("--header-file", multiple=True, metavar="FILE", help="A file with lines `K: V`; `-` is stdin.")
@click.option("--env", multiple=True, metavar="K=V", help="A variable for a stdio server; K alone passes it on.")
@click.option("--env-file", multiple=True, metavar="FILE", help="A file with lines K=V; `-` is stdin.")
@click.option("--cwd", metavar="DIR", help="Where a stdio server runs. [default: the home of the platform's user]")
@click.option("--ca-file", metavar="FILE", help="PEM certificates that vouch for an https server; no others do.")
@click.option(
    "--pin", multiple=True, metavar="sha256//BASE64", help="The public key an https server must have, too. Repeatable."
)
@click.option("--client-cert", metavar="FILE", help="PEM certificate to show to an https server; with --client-key.")
@click.option("--client-key", metavar="FILE", help="Its key, PEM without a passphrase. It is sealed.")
@click.option(
    "--shared",
    is_flag=True,
    help="One process or session for all principals, which can ask nobody anything. Warning: this allows a principal "
    "to find what another left there. Right for servers that remember nothing.",
)
@click.option(
    "--call-timeout", type=click.FloatRange(0.05, 86400), metavar="SECONDS", help="Silence allowed in a call."
)
@click.option("--sse", is_flag=True, help="The URL is one of HTTP+SSE (2024-11-05), which has two endpoints.")
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Approve new and changed tools at once. Warning: this allows a server to change what its tools say and do "
    "without anybody looking.",
)
@with_session
def add(
    session: Session,
    /,
    *,
    name: str,
    target: tuple[str, ...],
    header: tuple[str, ...],
    header_file: tuple[str, ...],
    env: tuple[str, ...],
    env_file: tuple[str, ...],
    cwd: str | None,
    shared: bool,
    call_timeout: float | None,
    sse: bool,
    accept_changes: bool,
    **files: Any,  # noqa: ANN401  # options about certificates
) -> None:
    """Connect to a server, list its tools, and let agents with a role that allows them use them.

    An HTTP server is named by its URL. A stdio server is a command after `--`: it is started as it stands, without a
    shell, with no environment but what --env gives, and not in the folder where you are: paths among its arguments
    should be absolute, or --cwd given. A value V may be @file:PATH, @env:NAME or @stdin, which keeps it
    off the command line; it is sealed before it is stored.
    """
    url = _url_of(target)
    command = None if url else _absolute(target)
    headers = given.headers(header, header_file, session.out.warning)
    variables = given.variables(env, env_file, session.out.warning)
    _check_fit(url, headers, variables, cwd)
    trust = _trust(**files)
    if trust is not None and url is None:
        raise click.UsageError("Certificates and pins are for HTTP servers.")
    answer = session.ask(
        "server.add",
        name=name,
        url=url,
        command=command,
        env=variables,
        headers=headers,
        cwd=None if cwd is None else str(Path(cwd).expanduser().absolute()),
        trust=trust,
        shared=shared,
        call_timeout_s=call_timeout,
        sse=sse or None,
        accept_changes=accept_changes or None,
    )
    session.out.result(answer)
    if session.out.as_json:
        return
    if command is not None:
        _say_how_it_runs(session, command, answer)
    _say_what_it_offers(session, name, answer)


def _say_what_it_offers(session: Session, name: str, answer: dict[str, Any]) -> None:
    shown = shown_tools(answer)
    offers = [count(answer.get(f"{kind}_count", 0), kind) for kind in ("tool", "prompt", "resource", "template")]
    session.out.line(f"Added server {name} ({answer['era']}): {', '.join(offers)} for agents.")
    print_tools(session, shown, skipped_tools(answer))
    print_problems(session, answer)
    if answer["tool_count"] > len(shown):
        session.out.advice(f"… and {answer['tool_count'] - len(shown)} more: mcp-platform server tools {name}")
    if answer.get("unreadable_count"):
        session.out.warning(f"{count(answer['unreadable_count'], 'item')} without a name, or too large, left out.")


def _trust(
    ca_file: str | None, pin: tuple[str, ...], client_cert: str | None, client_key: str | None
) -> dict[str, object] | None:
    """What stands in place of the system's authorities; None where nothing was given."""
    trust: dict[str, object] = {
        "authority": _content(ca_file),
        "pins": pin,
        "certificate": _content(client_cert),
        "key": _content(client_key),
    }
    return trust if any(trust.values()) else None


def _content(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).expanduser().read_text("ascii")
    except (OSError, UnicodeError):
        raise click.UsageError(f"The file {path} cannot be read, or is no PEM text.") from None


def _url_of(target: tuple[str, ...]) -> str | None:
    """The URL that `target` is; None where it is a command."""
    first = target[0]
    if "://" not in first:
        return None
    if not first.startswith(("http://", "https://")):
        raise click.UsageError("A server's URL begins with http:// or https://.")
    if len(target) > 1:
        raise click.UsageError("Nothing may follow the URL.")
    return first


def _absolute(target: tuple[str, ...]) -> list[str]:
    """The command, its program's path absolute where it was relative to here: the platform runs somewhere else."""
    program, *rest = target
    if "/" in program and Path(program).is_file():
        program = str(Path(program).absolute())
    return [program, *rest]


def _check_fit(url: str | None, headers: object, variables: object, cwd: str | None) -> None:
    if url is None and headers is not None:
        raise click.UsageError("Headers are for HTTP servers; a stdio server takes --env.")
    if url is not None and (variables is not None or cwd is not None):
        raise click.UsageError("--env and --cwd are for stdio servers; an HTTP server takes --header.")


def _say_how_it_runs(session: Session, command: list[str], answer: dict[str, Any]) -> None:
    """The whole command, as whom it runs and how confined: nobody should find out later."""
    session.out.line(f"Runs       {shlex.join(command)}")
    session.out.line(f"As user    {answer.get('user', '?')}")
    session.out.line(f"Isolation  {answer.get('isolation', '?')}")


@click.command(cls=Page, examples=["mcp-platform server remove time"])
@click.argument("name")
@with_session
def remove(session: Session, *, name: str) -> None:
    """Take the server NAME away, its secrets too. Its tools' names stay reserved for a server of the same name."""
    session.out.result(session.ask("server.remove", name=name))
    session.out.line(f"Removed server {name}.")


@click.command(cls=Page, examples=["mcp-platform server test time"])
@click.argument("name")
@with_session
def test(session: Session, *, name: str) -> None:
    """Connect to the server NAME and list its tools, changing nothing."""
    answer = session.ask("server.test", name=name)
    session.out.result(answer)
    speaks, tools = answer["era"], count(answer["tool_count"], "tool")
    session.out.line(f"Server {name} answers ({speaks}) and lists {tools}, after {answer['ms']:.0f} ms.")
    for change, means in (
        ("new", "not approved, so agents do not see them"),
        ("gone", "approved, and listed no more"),
        ("changed", "agents see them as they were approved"),
    ):
        if answer.get(change):
            session.out.line(f"{change.capitalize()}: {', '.join(answer[change])} ({means})")


@click.command(cls=Page, examples=["mcp-platform server mark time get_current_time --read-only"])
@click.argument("name")
@click.argument("tool")
@click.option("--read-only/--writes", "read_only", required=True, help="Whether calling it changes nothing.")
@with_session
def mark(session: Session, *, name: str, tool: str, read_only: bool) -> None:
    """Say whether the TOOL of the server NAME changes nothing. With `strict` durability a call to such a tool need not
    wait until its intent is on the disk; what a server says of its own tools is never believed."""
    session.out.result(session.ask("tool.mark", server=name, tool=tool, read_only=read_only))
    session.out.line(f"{name}/{tool} {'changes nothing' if read_only else 'may change something'}.")
