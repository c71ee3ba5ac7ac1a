"""`tls dev-ca`: certificates for a developer's own machine."""

import click

from mcp_platform.base import clock
from mcp_platform.base.folder import DataFolder
from mcp_platform.cli.data_folder import require_platform
from mcp_platform.cli.late import Late
from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session

_development = Late("net.tls_development")


@click.group(
    cls=LazyGroup,
    examples=["mcp-platform tls dev-ca"],
    entries={"dev-ca": Entry("tls", "dev_ca", "Make a certificate for this machine, and an authority to trust.")},
)
def tls() -> None:
    """Manage certificates for development."""


@click.command(cls=Page, name="dev-ca", examples=["mcp-platform tls dev-ca"])
@with_session
def dev_ca(session: Session) -> None:
    """Make a certificate for localhost, 127.0.0.1 and ::1 in DIR/tls, good for 90 days, and an authority that vouches
    for it and for no other name. Again: a new certificate of the same authority, which a running platform takes.

    For development. Nothing trusts the authority until you say so; the output says how.
    """
    require_platform(session.data)
    made = make_development_pair(session.data)
    session.out.result(made)
    session.out.line(f"Authority    {made['authority']}")
    session.out.line(f"Certificate  {made['certificate']}")
    session.out.line(f"Key          {made['key']}")
    session.out.advice("")
    session.out.advice("In the settings file, then restart:")
    for surface in ("gateway", "console"):
        session.out.advice(f"  [{surface}]")
        session.out.advice(f'  tls_certificate = "{made["certificate"]}"')
        session.out.advice(f'  tls_key = "{made["key"]}"')
    say_how_to_trust(session, made["authority"])


def make_development_pair(data: DataFolder) -> dict[str, str]:
    """Paths of what was made, by name."""
    files = _development.make(data.tls, clock.now())
    return {"authority": str(files.authority), "certificate": str(files.certificate), "key": str(files.key)}


def say_how_to_trust(session: Session, authority: str) -> None:
    """For the clients that developers use; none of it changes the system."""
    session.out.advice("")
    session.out.advice("To trust it, for one program at a time:")
    session.out.advice(f"  Python   SSL_CERT_FILE={authority}")
    session.out.advice(f"  Node.js  NODE_EXTRA_CA_CERTS={authority}")
    session.out.advice(f"  curl     --cacert {authority}")
