"""Whether the data folder is one that the platform may use. Never changes one that holds anything."""

import os
import stat
from pathlib import Path

from mcp_platform.base.errors import Fault, define
from mcp_platform.base.folder import DataFolder, make_private
from mcp_platform.supervisor.errors import DATA_FOLDER_UNUSABLE, NOT_INITIALISED

ALREADY_INITIALISED = define(
    "already_initialised",
    http=409,
    jsonrpc=-32603,
    text="There is a platform in this data folder already; start it with `mcp-platform serve`.",
    whose="caller",
)


def has_platform(data: DataFolder) -> bool:
    """Whether a first run was done here. One that was cut short does not count: the next begins anew.

    Raises Fault where that cannot be seen.
    """
    _require_sight(data.root)
    return data.keys.exists() or (data.database.exists() and not data.unfinished.exists())


def require_folder(data: DataFolder) -> None:
    """Raises Fault where there is no data folder, or none that we may see."""
    _require_sight(data.root)
    if not data.root.is_dir():
        raise Fault(
            NOT_INITIALISED, f"There is no folder {data.root}; run `mcp-platform init` or name one with --data."
        )


def require_platform(data: DataFolder) -> None:
    """Raises Fault where there is no platform here, or its folder is not safe to use."""
    require_folder(data)
    check_private(data.root)
    if not has_platform(data):
        raise Fault(
            NOT_INITIALISED, f"There is no platform in {data.root}; run `mcp-platform init` or name one with --data."
        )


def require_empty(data: DataFolder) -> None:
    """Raises Fault unless a first run may happen here: no folder yet, or one of ours with at most a settings file."""
    if has_platform(data):
        raise Fault(
            ALREADY_INITIALISED, f"There is a platform in {data.root} already; start it with `mcp-platform serve`."
        )
    if not data.root.exists():
        return
    check_private(data.root, new=True)
    try:
        others = [entry for entry in data.root.iterdir() if not _may_be_there(data, entry)]
    except OSError as error:
        raise Fault(DATA_FOLDER_UNUSABLE, f"The folder {data.root} cannot be read: {error.strerror}.") from error
    if others:
        raise Fault(
            DATA_FOLDER_UNUSABLE,
            f"The folder {data.root} holds other things and no platform; name an empty or new one with --data.",
        )


def is_folder(path: Path) -> bool:
    """As Path.is_dir, but False where a folder above is closed to us."""
    return os.path.isdir(path)


def _require_sight(root: Path) -> None:
    """Raises Fault where a folder above keeps us from seeing whether `root` is there."""
    try:
        root.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(root, error) from error


def make_root(root: Path) -> None:
    """Make the data folder, mode 0700. Raises Fault."""
    try:
        make_private(root)
    except OSError as error:
        raise Fault(
            DATA_FOLDER_UNUSABLE,
            f"May not write in {root.parent} to make the data folder ({error.strerror}); name another with --data.",
        ) from error


def _unusable(root: Path, error: OSError) -> Fault:
    return Fault(DATA_FOLDER_UNUSABLE, f"The folder {root} cannot be used: {error.strerror}.")


def _may_be_there(data: DataFolder, entry: Path) -> bool:
    """Settings that were put there beforehand, the lock, and what a first run that was cut short left."""
    if entry in (data.config_file, data.lock, data.unfinished):
        return True
    return data.unfinished.exists() and entry.name.startswith(data.database.name)


def check_private(root: Path, *, new: bool = False) -> None:
    """Raises Fault unless `root` is a folder of ours, mode 0700, writable. A `new` one is given its mode later."""
    try:
        status = root.stat()
    except OSError as error:
        raise _unusable(root, error) from error
    if not stat.S_ISDIR(status.st_mode):
        raise Fault(DATA_FOLDER_UNUSABLE, f"{root} is not a folder; name a folder with --data.")
    if status.st_uid != os.geteuid():
        raise Fault(
            DATA_FOLDER_UNUSABLE,
            f"The folder {root} belongs to user id {status.st_uid}, not to you (user id {os.geteuid()}); "
            "run as that user or name another folder.",
        )
    if not new and stat.S_IMODE(status.st_mode) & 0o077:
        raise Fault(
            DATA_FOLDER_UNUSABLE,
            f"The folder {root} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}); "
            f"run: chmod 700 {root}",
        )
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        raise Fault(
            DATA_FOLDER_UNUSABLE,
            f"The folder {root} cannot be written; check its mode and that the disk is not read-only.",
        )
