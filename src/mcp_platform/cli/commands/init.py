"""`init`: make a new platform."""

from collections.abc import Mapping

import click

from mcp_platform.base import clock
from mcp_platform.cli.first_run import make_platform, show
from mcp_platform.cli.late import Late
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.surfaces import surface_options

_development = Late("net.tls_development")


@click.command(
    cls=Page,
    examples=[
        "mcp-platform init --data DIR",
        "mcp-platform init --data DIR --dev-tls",
        "mcp-platform init --data DIR --host 0.0.0.0 --public-url https://mcp.example.com --behind-tls-proxy",
        "mcp-platform init --data DIR --json | jq -r .api_key",
    ],
)
@surface_options
@click.option("--dev-tls", is_flag=True, help="Speak TLS with a certificate for this machine (see `tls dev-ca`).")
@with_session
def init(session: Session, *, dev_tls: bool, flags: Mapping[str, object]) -> None:
    """Make a new platform in DIR: its keys, its database and a first API key.

    The key is shown once, to a terminal or in the object of --json; anywhere else it goes to a file of mode 0600
    that is named. The addresses are kept in DIR/mcp-platform.toml. A folder that holds a platform is refused.
    """
    if dev_tls:
        files = _development.DevelopmentFiles(session.data.tls)
        pair = {"tls_certificate": str(files.certificate), "tls_key": str(files.key)}
        own = {f"{surface}.{name}": path for surface in ("gateway", "console") for name, path in pair.items()}
        flags = {**flags, **own}
    made = make_platform(session, flags, keep=True)
    if dev_tls:
        _development.make(session.data.tls, clock.now())
    session.out.result(made.as_object())
    show(session, made)
    if made.has_open_port:
        session.out.advice("Port 0: the system chooses at each start; `serve` says which, and run/ports.json.")
    session.out.advice("")
    session.out.advice(f"Next: mcp-platform serve --data {made.data_dir}")
    if dev_tls:
        session.out.advice(
            f"Trust {_development.DevelopmentFiles(session.data.tls).authority} in your client; "
            "`mcp-platform tls dev-ca` says how."
        )
    session.out.advice(f"Then: mcp-platform server add time --data {made.data_dir} -- uvx mcp-server-time")
