"""`audit erase`: destroys the key of somebody's recorded arguments and results."""

import click

from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session


@click.command(cls=Page, examples=["mcp-platform audit erase ana --yes"])
@click.option("--yes", is_flag=True, help="It cannot be taken back.")
@click.argument("principal", metavar="PRINCIPAL")
@with_session
def erase(session: Session, *, principal: str, yes: bool) -> None:
    """Make the recorded arguments and results of PRINCIPAL (name or id) unreadable for ever.

    The record of the calls stays, and so do its proofs. Backups of the folder DIR/keys hold the key, too.
    """
    if not yes:
        raise click.UsageError("Nobody can read them again afterwards, and nothing brings them back: add --yes.")
    answer = session.ask("content.erase", principal=principal)
    session.out.result(answer)
    if answer["erased"]:
        session.out.line(f"What calls of {answer['principal']} said until now cannot be read any more.")
    else:
        session.out.line(f"There was no key of {answer['principal']}: nothing that could be read was recorded.")
