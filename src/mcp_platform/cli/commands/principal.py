"""`principal list|disable|enable`: people and service accounts."""

import click

from mcp_platform.base import clock
from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.table import render
from mcp_platform.cli.times import moment


@click.group(
    cls=LazyGroup,
    examples=["mcp-platform principal list", "mcp-platform principal disable ana"],
    entries={
        "list": Entry("principal", "list_principals", "List people and service accounts."),
        "disable": Entry("principal", "disable", "Refuse everything to a principal, whatever keys it holds."),
        "enable": Entry("principal", "enable", "Let a disabled principal in again."),
    },
)
def principal() -> None:
    """List people and service accounts, and shut them out or let them in.

    There is no deletion: a record of who acted must keep its subject. `key create` makes new ones.
    """


@click.command("list", cls=Page, examples=["mcp-platform principal list"])
@with_session
def list_principals(session: Session) -> None:
    """List people and service accounts."""
    answer = session.ask("principal.list")
    session.out.result(answer)
    if session.out.as_json:
        return
    if not answer["principals"]:
        session.out.line("Nobody. Make one with a key: mcp-platform key create --principal NAME")
        return
    now = clock.now()
    rows = [
        [row["name"], row["kind"], moment(row["created_at"], now), "disabled" if row["disabled"] else "enabled"]
        for row in answer["principals"]
    ]
    session.out.line(render(["name", "kind", "made", "state"], rows))


@click.command(cls=Page, examples=["mcp-platform principal disable ana"])
@click.argument("name")
@with_session
def disable(session: Session, *, name: str) -> None:
    """Refuse everything to NAME from now on; its calls under way are cut."""
    session.out.result(session.ask("principal.disable", name=name))
    session.out.line(f"{name} is disabled.")
    session.out.advice(f"Undo: mcp-platform principal enable {name}")


@click.command(cls=Page, examples=["mcp-platform principal enable ana"])
@click.argument("name")
@with_session
def enable(session: Session, *, name: str) -> None:
    """Let NAME in again."""
    session.out.result(session.ask("principal.enable", name=name))
    session.out.line(f"{name} is enabled.")
