"""`audit anchor`: takes the newest checkpoint to another place, where whoever changes the record cannot reach it."""

import click

from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session


@click.command(
    cls=Page,
    examples=[
        "mcp-platform audit anchor",
        "mcp-platform audit anchor --to file:/mnt/worm/anchors.jsonl",
        "mcp-platform audit anchor --to 'syslog+tcp://log.example.com:601' --to 's3+https://s3.example.com/audit/mcp'",
    ],
)
@click.option(
    "--to", "places", multiple=True, metavar="PLACE", help="Instead of the setting journal.anchors. Repeatable."
)
@with_session
def anchor(session: Session, *, places: tuple[str, ...]) -> None:
    """Take the newest checkpoint to every place in the setting journal.anchors, now.

    Control does so by itself every journal.anchor_s seconds. A PLACE is `file:/path`, `syslog+unix:/dev/log`,
    `syslog+udp://host:514`, `syslog+tcp://host:601` or `s3+https://endpoint/bucket/prefix?region=NAME`.
    """
    answer = session.ask("audit.anchor", places=list(places) or None)
    session.out.result(answer)
    for each in answer["places"]:
        session.out.line(f"Checkpoint {answer['number']} is at {each}.")
