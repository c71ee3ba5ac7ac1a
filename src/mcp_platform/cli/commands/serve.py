"""`serve`: start the platform; on an empty folder, make it first."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from mcp_platform.cli.data_folder import has_platform, require_platform
from mcp_platform.cli.first_run import make_platform, show
from mcp_platform.cli.late import Late
from mcp_platform.cli.output import object_was_printed
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.surfaces import surface_options

if TYPE_CHECKING:
    from mcp_platform.base.config import Settings
    from mcp_platform.supervisor.sockets import Ports

_load = Late("base.config.load")
_addresses = Late("base.config.addresses")
_supervisor = Late("supervisor.run")
_short_lived = Late("supervisor.short_lived")


@click.command(
    cls=Page,
    examples=["mcp-platform serve", "mcp-platform serve --data /var/lib/mcp-platform --workers 4"],
)
@surface_options
@click.option(
    "--workers", type=click.IntRange(0, 256), metavar="N", help="Gateway processes; 0: one per core. [default: 0]"
)
@with_session
def serve(session: Session, *, workers: int | None, flags: Mapping[str, object]) -> int:
    """Start the platform in DIR and run until SIGTERM or Ctrl-C; SIGHUP reads the settings again.

    On an empty or new folder it makes the platform first, as `init` does. What happens is logged to stderr, one JSON
    object a line. Options here hold for this run only; `init` and the settings file keep them.
    """
    made = not has_platform(session.data)
    if made:
        _make_apart(session, flags)
    else:
        require_platform(session.data)
    flags = {**flags, "gateway.workers": workers}

    def read_settings() -> "Settings":
        settings: Settings = _load.load(session.data.config_file, flags=flags).settings
        return settings

    settings = read_settings()

    def say_ready(ports: "Ports") -> None:
        urls = _urls(settings, ports)
        if not made:
            session.out.result({**urls, "data_dir": str(session.data.root)})
        session.out.advice(f"Ready. Agents: {urls['mcp_url']}  Console: {urls['console_url']}")

    return int(_supervisor.run(session.data, settings, reload=read_settings, on_ready=say_ready))


def _make_apart(session: Session, flags: Mapping[str, object]) -> None:
    """Make the platform and show its secrets in a process that ends then: this one becomes the supervisor, and every
    process of the platform has a copy of what it holds."""

    def make() -> bytes:
        made = make_platform(session, flags, keep=False)
        session.out.result(made.as_object())
        show(session, made)
        return b""

    _short_lived.apart(make)
    if session.out.as_json:
        object_was_printed()


def _urls(settings: "Settings", ports: "Ports") -> dict[str, str]:
    """With the ports in use, where the settings left the choice to the system."""
    return {
        "mcp_url": _addresses.mcp_url(settings.gateway, ports.gateway),
        "console_url": _addresses.base_url(settings.console, ports.console),
    }
