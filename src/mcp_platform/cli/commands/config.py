"""`config check` and `config show`: what the settings are, where each comes from, and what is wrong with them."""

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from mcp_platform.cli.exit_codes import ExitCode
from mcp_platform.cli.late import Late
from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session

if TYPE_CHECKING:
    from mcp_platform.base.config.load import Loaded

_data_folder = Late("cli.data_folder")
_load = Late("base.config.load")
_schema = Late("base.config.schema")
_table = Late("cli.table")
_EXITS = (ExitCode.OK, ExitCode.USAGE, ExitCode.CONFIGURATION)


@click.group(
    cls=LazyGroup,
    examples=["mcp-platform config check", "mcp-platform config show --origin"],
    entries={
        "check": Entry("config", "check", "Say whether the settings are right, and every mistake if not."),
        "show": Entry("config", "show", "Show every setting, and with --origin where it comes from."),
    },
)
def config() -> None:
    """Check the settings, or show them.

    Order: flag > environment > secret files > DIR/mcp-platform.toml > default. A setting `gateway.port` is the
    variable MCP_PLATFORM_GATEWAY__PORT, and the secret file `gateway.port` (or `gateway__port`) in the folder that
    MCP_PLATFORM_SECRETS_DIR or systemd's CREDENTIALS_DIRECTORY names, or in /run/secrets/mcp-platform.
    """


@click.command(cls=Page, examples=["mcp-platform config check --data DIR"], exits=_EXITS)
@with_session
def check(session: Session) -> None:
    """Say whether the settings are right; list every mistake with its file and line if not.

    A folder that --data names must be there; without --data, only defaults and the environment may be all there is.
    """
    if click.get_current_context().get_parameter_source("data") is ParameterSource.COMMANDLINE:
        _data_folder.require_folder(session.data)
    loaded: Loaded = _load.load(session.data.config_file)
    given = sum(origin.source != "default" for origin in loaded.origins.values())
    session.out.result({"ok": True, "settings": len(loaded.origins), "given": given})
    session.out.line(
        f"The configuration is right: {given} of {len(loaded.origins)} settings given, defaults elsewhere."
    )


@click.command(
    cls=Page,
    examples=["mcp-platform config show --origin", "mcp-platform config show --json | jq .settings"],
    exits=_EXITS,
)
@click.option("--origin", is_flag=True, help="Where each value comes from.")
@with_session
def show(session: Session, *, origin: bool) -> None:
    """Show every setting with its value."""
    loaded: Loaded = _load.load(session.data.config_file)
    values = {name: _schema.value_of(loaded.settings, name) for name in loaded.origins}
    if session.out.as_json:
        answer: dict[str, object] = {"settings": values}
        if origin:
            answer["origins"] = {name: str(where) for name, where in loaded.origins.items()}
        session.out.result(answer)
        return
    rows = [[name, _shown(values[name]), *([str(loaded.origins[name])] if origin else [])] for name in values]
    session.out.line(_table.render(["setting", "value", *(["origin"] if origin else [])], rows))


def _shown(value: object) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
