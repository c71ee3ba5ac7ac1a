"""`key create|list|revoke`: the API keys of agents."""

import click

from mcp_platform.base import clock
from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.reveal import reveal
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.table import render
from mcp_platform.cli.times import moment, parse_duration


@click.group(
    cls=LazyGroup,
    examples=["mcp-platform key create --principal ana", "mcp-platform key revoke Ab12Cd34Ef56"],
    entries={
        "create": Entry("key", "create", "Make an API key; it is shown once."),
        "list": Entry("key", "list_keys", "List API keys."),
        "revoke": Entry("key", "revoke", "Revoke an API key, in every worker and within a second."),
    },
)
def key() -> None:
    """Make, list and revoke the API keys of agents."""


class Duration(click.ParamType[int]):
    """90d, 12h, 30m …, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        seconds = parse_duration(str(value))
        if seconds is None:
            self.fail("expected a number and s, m, h, d or w, at most ten years, for example 90d.", param, ctx)
        return seconds


@click.command(
    cls=Page,
    examples=[
        "mcp-platform key create --principal ana",
        "mcp-platform key create --principal ci --agent release-bot --scope 'git/*' --expires-in 90d --json",
    ],
)
@click.option("--principal", required=True, metavar="NAME", help="Whose key it is; made if there is none of that name.")
@click.option("--agent", metavar="NAME", help="The agent that will hold it; recorded with every call.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Grant this role to the principal. Repeatable.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="RULE",
    help="Narrow the key to this rule, which has the form of a role's. Repeatable.",
)
@click.option("--expires-in", type=Duration(), metavar="TIME", help="For example 90d. Without it the key has no end.")
@click.option(
    "--strict", is_flag=True, help="Refuse what names a server or tool that is not there; else it is warned of."
)
@with_session
def create(
    session: Session,
    *,
    principal: str,
    agent: str | None,
    roles: tuple[str, ...],
    scopes: tuple[str, ...],
    expires_in: int | None,
    strict: bool,
) -> None:
    """Make an API key and show it once.

    A key can do what its principal's roles allow, less what its scopes leave out; without --scope it is not narrowed. A
    scope may name a server or tool that is added later: you are warned of it, in case it was a slip.
    """
    made = session.ask(
        "key.create",
        principal=principal,
        agent=agent,
        roles=list(roles) or None,
        scopes=list(scopes) or None,
        expires_in_s=expires_in,
        strict=strict or None,
    )
    session.out.result(made)
    if session.out.as_json:
        return
    name = made.get("id", "")
    ends = made.get("not_after")
    until = "without an end" if ends is None else f"until {moment(ends, clock.now())}"
    session.out.line(f"Made key {name} for {principal}, {until}")
    reveal(session, {"API key": str(made["api_key"])}, f"key-{name}.txt")
    session.out.advice("It is not shown again. Agents send it as `Authorization: Bearer KEY`.")
    if made.get("principal_created") and not made.get("roles_granted"):
        session.out.advice(f"{principal} is new and holds no role, so everything is refused to it.")
        session.out.advice(f"Next: mcp-platform role grant member {principal}")


@click.command("list", cls=Page, examples=["mcp-platform key list", "mcp-platform key list --json | jq '.keys[].id'"])
@click.option("--principal", metavar="NAME", help="Only this principal's keys.")
@with_session
def list_keys(session: Session, *, principal: str | None) -> None:
    """List API keys: never the keys themselves, only their ids."""
    answer = session.ask("key.list", principal=principal)
    session.out.result(answer)
    if session.out.as_json:
        return
    if not answer["keys"]:
        session.out.line("No keys. Make one: mcp-platform key create --principal NAME")
        return
    now = clock.now()
    session.out.line(
        render(
            ["id", "principal", "agent", "scopes", "made", "expires", "state"],
            [
                [
                    row["id"],
                    row["principal"],
                    row.get("agent"),
                    row.get("scopes") or "all its roles allow",
                    moment(row.get("created_at"), now),
                    moment(row.get("not_after"), now),
                    row.get("state"),
                ]
                for row in answer["keys"]
            ],
        )
    )


@click.command(cls=Page, examples=["mcp-platform key revoke Ab12Cd34Ef56"])
@click.argument("key_id", metavar="ID")
@with_session
def revoke(session: Session, *, key_id: str) -> None:
    """Revoke the API key with ID (see `key list`): no worker accepts it any more, and its open calls are cut."""
    answer = session.ask("key.revoke", id=key_id)
    session.out.result(answer)
    session.out.line(f"Revoked key {key_id}." if answer.get("changed", True) else f"Key {key_id} was revoked already.")
    spread = answer.get("published")
    if isinstance(spread, dict):
        session.out.advice(
            f"Taken by {spread.get('taken')} of {spread.get('workers')} workers in {spread.get('ms')} ms."
        )
