"""`token create|list|revoke`: the short-lived tokens that the REST API takes."""

import click

from mcp_platform.base import clock
from mcp_platform.cli.commands.key import Duration
from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.reveal import reveal
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.table import render
from mcp_platform.cli.times import moment


@click.group(
    cls=LazyGroup,
    examples=["mcp-platform token create --for 5m", "mcp-platform token list"],
    entries={
        "create": Entry("token", "create", "Make an admin token; it is shown once."),
        "list": Entry("token", "list_tokens", "List admin tokens."),
        "revoke": Entry("token", "revoke", "Revoke an admin token, at once."),
    },
)
def token() -> None:
    """Make, list and revoke the short-lived tokens that the REST API takes."""


@click.command(
    cls=Page,
    examples=[
        "mcp-platform token create",
        "mcp-platform token create --for 5m --permission keys:key:read --permission keys:key:revoke --json",
    ],
)
@click.option("--for", "life", type=Duration(), metavar="TIME", help="At most 1h.  [default: 15m]")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    metavar="NAME",
    help="What it may. Repeatable; `all` for everything.  [default: only what reads]",
)
@click.option("--agent", metavar="NAME", help="The program that will hold it; recorded with every request.")
@with_session
def create(session: Session, *, life: int | None, permissions: tuple[str, ...], agent: str | None) -> None:
    """Make an admin token and show it once.

    Programs send it to the REST API as `Authorization: Bearer TOKEN`. Agents cannot use it, and API keys of agents are
    not taken there.
    """
    made = session.ask("token.create", for_s=life, permissions=list(permissions) or None, agent=agent)
    session.out.result(made)
    if session.out.as_json:
        return
    session.out.line(f"Made admin token {made['id']}, until {moment(made['not_after'], clock.now())}")
    reveal(session, {"Token": str(made["token"])}, f"token-{made['id']}.txt")
    session.out.advice("It is not shown again. Send it as `Authorization: Bearer TOKEN` to /api/v1 of the console.")


@click.command(
    "list", cls=Page, examples=["mcp-platform token list", "mcp-platform token list --json | jq '.tokens[].id'"]
)
@with_session
def list_tokens(session: Session) -> None:
    """List admin tokens: never the tokens themselves, only their ids. Those long expired are gone."""
    answer = session.ask("token.list")
    session.out.result(answer)
    if session.out.as_json:
        return
    if not answer["tokens"]:
        session.out.line("No tokens. Make one: mcp-platform token create")
        return
    now = clock.now()
    session.out.line(
        render(
            ["id", "agent", "permissions", "made", "expires", "state"],
            [
                [
                    row["id"],
                    row["agent"],
                    f"{len(row['permissions'])}",
                    moment(row["created_at"], now),
                    moment(row["not_after"], now),
                    row["state"],
                ]
                for row in answer["tokens"]
            ],
        )
    )


@click.command(cls=Page, examples=["mcp-platform token revoke Ab12Cd34Ef56"])
@click.argument("token_id", metavar="ID")
@with_session
def revoke(session: Session, *, token_id: str) -> None:
    """Revoke the admin token with ID (see `token list`): what is asked with it is refused from now on."""
    answer = session.ask("token.revoke", id=token_id)
    session.out.result(answer)
    session.out.line(f"Revoked token {token_id}." if answer["changed"] else f"Token {token_id} was revoked already.")
