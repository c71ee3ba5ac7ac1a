"""The data folder: whose it is, who may look into it, what stands in it, and the key that must not."""

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from mcp_platform.base.errors import Fault
from mcp_platform.base.key_file import is_ours_alone
from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok, warning
from mcp_platform.cli.data_folder import check_private, has_platform, is_folder
from mcp_platform.store import revisions

MAX_NAMED = 3
"""Names in one line; the rest are counted."""


def examine(patient: Patient) -> Iterator[Finding]:
    yield _root(patient)
    if not is_folder(patient.data.root):
        return
    yield _contents(patient.data.root)
    if not has_platform(patient.data):
        yield fault("platform", "there is no platform in the folder", "Run `mcp-platform init`.")
        return
    yield _schema(patient)
    yield from _key_encryption_key(patient)


def _root(patient: Patient) -> Finding:
    root = patient.data.root
    if not os.path.lexists(root) and os.access(root.parent, os.X_OK):
        return fault("folder", f"there is no folder {root}", f"Run `mcp-platform init --data {root}`, or name another.")
    try:
        check_private(patient.data.root)
    except Fault as found:
        return fault("folder", found.text, "Correct the folder's owner or mode, or name another with --data.")
    return ok("folder", f"{patient.data.root} is yours alone (mode 0700)")


def _contents(root: Path) -> Finding:
    """Everything below must be ours and closed to others."""
    open_ones, foreign = [], []
    for folder, _, names in os.walk(root):
        for path in (Path(folder), *(Path(folder) / name for name in names)):
            try:
                status = path.lstat()
            except OSError:
                continue  # gone meanwhile: sockets and temporary files come and go
            if status.st_uid != os.geteuid():
                foreign.append(path)
            elif stat.S_IMODE(status.st_mode) & 0o077 and not stat.S_ISLNK(status.st_mode):
                open_ones.append(path)
    if foreign:
        return fault("files", f"not yours: {_named(foreign)}", f"Run: chown -R {os.geteuid()} {root}")
    if open_ones:
        return fault("files", f"open to other users: {_named(open_ones)}", f"Run: chmod -R go= {root}")
    return ok("files", "every file is yours and closed to others")


def _named(paths: list[Path]) -> str:
    more = f" and {len(paths) - MAX_NAMED} more" if len(paths) > MAX_NAMED else ""
    return ", ".join(str(path) for path in paths[:MAX_NAMED]) + more


def _schema(patient: Patient) -> Finding:
    """Read with sqlite3 itself: the database must be readable even where the rest of the platform is not."""
    database = patient.data.database
    # `ro` still makes the files beside a database in WAL mode; with nobody writing, none are needed.
    live = patient.running or database.with_name(f"{database.name}-wal").exists()
    try:
        connection = sqlite3.connect(
            f"{database.as_uri()}?{'mode=ro' if live else 'immutable=1'}", uri=True, timeout=2.0
        )
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return fault("schema", f"the database cannot be read ({type(error).__name__})", "Restore it from a backup.")
    version = str(row[0]) if row else "none"
    if version not in revisions.known():
        return fault(
            "schema", "the database was written by a newer version", "Run that version, or restore an older backup."
        )
    if version != revisions.newest():
        says = f"the database has schema {version}, older than {revisions.newest()}"
        return warning("schema", says, "`serve` brings it up.")
    return ok("schema", f"the database has schema {version}")


def _key_encryption_key(patient: Patient) -> Iterator[Finding]:
    path = _kek_path(patient)
    if path is None:
        yield fault("kek", "DATA/keys/platform.json cannot be read", "Restore DATA/keys from a backup.")
        return
    try:
        status = path.stat()
    except OSError:
        yield fault(
            "kek",
            f"the key-encryption key {path} is missing",
            "Restore it, or name it with the setting vault.kek_file.",
        )
        return
    if not is_ours_alone(path, stat.S_IMODE(status.st_mode), status.st_uid, os.geteuid()):
        yield fault("kek", f"the key-encryption key {path} is not yours alone", f"Run: chmod 600 {path}")
    elif path.resolve().is_relative_to(patient.data.root.resolve()):
        yield fault(
            "kek",
            "the key-encryption key lies inside the data folder: whoever gets a backup can open everything",
            "Move it out and set vault.kek_file.",
        )
    else:
        yield ok("kek", f"the key-encryption key is {path}, outside the data folder: back it up apart from it")


def _kek_path(patient: Patient) -> Path | None:
    if patient.loaded is not None and patient.loaded.settings.vault.kek_file is not None:
        return Path(patient.loaded.settings.vault.kek_file).expanduser()
    try:
        platform_id = json.loads((patient.data.keys / "platform.json").read_bytes())["platform_id"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path("~/.config/mcp-platform").expanduser() / f"{platform_id}.kek"
