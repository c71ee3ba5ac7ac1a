"""`role create|list|delete|grant|revoke`: named lists of what may be used, and who holds them."""

import click

from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.table import render


@click.group(
    cls=LazyGroup,
    examples=[
        "mcp-platform role create reader --allow git/git_log --allow git/git_diff",
        "mcp-platform role grant reader ana",
    ],
    entries={
        "create": Entry("role", "create", "Make a role from rules of what it allows."),
        "list": Entry("role", "list_roles", "List roles, what they allow and who holds them."),
        "delete": Entry("role", "delete", "Delete a role that nobody holds."),
        "grant": Entry("role", "grant", "Give a role to a principal."),
        "revoke": Entry("role", "revoke", "Take a role from a principal; its calls under way are cut."),
    },
)
def role() -> None:
    """Make roles and give them to principals. What no role allows is refused.

    The built-in role `member` allows every approved tool, every prompt and every resource of every server.
    """


@click.command(
    cls=Page,
    examples=[
        "mcp-platform role create reader --allow git/git_log --allow git/git_diff",
        "mcp-platform role create clock --allow 'time/*'",
        "mcp-platform role create docs --allow 'prompts:wiki/*' --allow 'resources:wiki/*'",
    ],
)
@click.argument("name")
@click.option(
    "--allow",
    "rules",
    multiple=True,
    required=True,
    metavar="RULE",
    help="SERVER/TOOL, prompts:SERVER/NAME or resources:SERVER/URI; `*` stands for any, as a whole side. Repeatable.",
)
@click.option(
    "--strict", is_flag=True, help="Refuse what names a server or tool that is not there; else it is warned of."
)
@with_session
def create(session: Session, *, name: str, rules: tuple[str, ...], strict: bool) -> None:
    """Make the role NAME. It may name a server or tool that is added later: you are warned, in case it was a slip."""
    answer = session.ask("role.create", name=name, rules=list(rules), strict=strict or None)
    session.out.result(answer)
    session.out.line(f"Made role {name}: {', '.join(rules)}")
    session.out.advice(f"Next: mcp-platform role grant {name} PRINCIPAL")


@click.command("list", cls=Page, examples=["mcp-platform role list"])
@with_session
def list_roles(session: Session) -> None:
    """List roles, what they allow and who holds them."""
    answer = session.ask("role.list")
    session.out.result(answer)
    if session.out.as_json:
        return
    rows = [[row["name"], row["rules"], row["holders"] or "nobody", row["built_in"]] for row in answer["roles"]]
    session.out.line(render(["name", "allows", "held by", "built in"], rows))
    session.out.advice("")
    session.out.advice("Make one: mcp-platform role create NAME --allow RULE")


@click.command(cls=Page, examples=["mcp-platform role delete reader"])
@click.argument("name")
@with_session
def delete(session: Session, *, name: str) -> None:
    """Delete the role NAME; refused while somebody holds it."""
    session.out.result(session.ask("role.delete", name=name))
    session.out.line(f"Deleted role {name}.")


@click.command(cls=Page, examples=["mcp-platform role grant reader ana"])
@click.argument("name", metavar="ROLE")
@click.argument("principal")
@with_session
def grant(session: Session, *, name: str, principal: str) -> None:
    """Give ROLE to PRINCIPAL."""
    answer = session.ask("role.grant", name=name, principal=principal)
    session.out.result(answer)
    session.out.line(
        f"{principal} holds {name} now." if answer.get("changed", True) else f"{principal} held {name} already."
    )


@click.command(cls=Page, examples=["mcp-platform role revoke reader ana"])
@click.argument("name", metavar="ROLE")
@click.argument("principal")
@with_session
def revoke(session: Session, *, name: str, principal: str) -> None:
    """Take ROLE from PRINCIPAL. Calls under way that only it allowed are cut."""
    answer = session.ask("role.revoke", name=name, principal=principal)
    session.out.result(answer)
    session.out.line(
        f"{principal} does not hold {name} any more."
        if answer.get("changed", True)
        else f"{principal} did not hold it."
    )
