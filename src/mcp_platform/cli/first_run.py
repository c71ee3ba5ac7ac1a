"""The first run, as `init` and `serve` do it: check the folder, make the platform, show its secrets once."""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault, define
from mcp_platform.base.lock import FolderLock
from mcp_platform.cli.data_folder import make_root, require_empty
from mcp_platform.cli.late import Late
from mcp_platform.cli.reveal import reveal
from mcp_platform.cli.session import Session

SETTINGS_THERE = define(
    "settings_file_exists",
    http=409,
    jsonrpc=-32602,
    text="There is a settings file in the data folder already; put the addresses there and leave the options away.",
    whose="caller",
)

_load = Late("base.config.load")
_write = Late("base.config.write")
_addresses = Late("base.config.addresses")
_control = Late("control.first_run")


@dataclass(frozen=True, slots=True)
class FirstRun:
    """What the first run made, and where it will be."""

    mcp_url: str
    console_url: str
    setup_link: str
    api_key: str
    data_dir: str

    @property
    def has_open_port(self) -> bool:
        """Whether the system chooses a port at each start, so that a URL here is not the one to call."""
        return any(url.partition("://")[2].partition("/")[0].endswith(":0") for url in (self.mcp_url, self.console_url))

    def as_object(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}


def make_platform(session: Session, flags: Mapping[str, object], *, keep: bool) -> FirstRun:
    """Make a platform in the session's folder; with `keep`, write `flags` to its settings file. Raises Fault, and then
    leaves nothing that a next try would stumble over."""
    data = session.data
    require_empty(data)
    kept = {name: value for name, value in flags.items() if value is not None} if keep else {}
    if kept and data.config_file.exists():
        raise Fault(SETTINGS_THERE)
    loaded = _load.load(data.config_file, flags=flags)
    make_root(data.root)
    lock = FolderLock.take(data.lock)
    try:
        made = _control.initialise(data, loaded.settings, clock.now())
        if not data.config_file.exists():
            _write.write_file(data.config_file, kept)
    finally:
        lock.release()
    console = _addresses.base_url(loaded.settings.console)
    return FirstRun(
        mcp_url=_addresses.mcp_url(loaded.settings.gateway),
        console_url=console,
        setup_link=f"{console}/setup/{made.setup_token}",
        api_key=made.api_key,
        data_dir=str(data.root),
    )


def show(session: Session, made: FirstRun) -> None:
    """Tell a person what there is now. With --json, the caller prints the object."""
    session.out.line(f"Made a platform in {made.data_dir}")
    session.out.line(f"Agents   {made.mcp_url}")
    session.out.line(f"Console  {made.console_url}")
    reveal(session, {"API key": made.api_key, "Set-up link": made.setup_link}, "first-run-secrets.txt")
