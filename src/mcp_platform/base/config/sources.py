"""Where values come from besides flags: the TOML file, the environment, secret files. Each value keeps its origin.

A name that is ours but unknown is a problem, never ignored: a misspelt limit must not silently be no limit.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcp_platform.base.config import toml_file
from mcp_platform.base.config.problems import Problem, nearest
from mcp_platform.base.config.schema import NotAsExpected, Setting, all_settings, sections

PREFIX = "MCP_PLATFORM_"
OWN_VARIABLES = {
    "MCP_PLATFORM_DATA": "The data folder, where --data is not given.",
    "MCP_PLATFORM_SECRETS_DIR": "A folder with one file per setting, named like the setting.",
    "MCP_PLATFORM_DEBUG": "1: show the traceback of an unexpected error on stderr.",
}
"""Variables with our prefix that are not settings."""
SECRETS_FOLDER = Path("/run/secrets/mcp-platform")
MAX_SECRET_BYTES = 64 * 1024
"""Bytes of one secret file: Kubernetes and Docker allow 1 MiB and 500 KiB; no setting needs 64 KiB."""

# Kubernetes and Docker set these for a service that is called mcp-platform; they are not ours.
_LINKS = re.compile(r"MCP_PLATFORM_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)?|NAME)")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    source: Literal["flag", "environment", "secret file", "file", "default"]
    where: str
    """The flag, the variable, the path, or `path:line`; empty for a default."""

    def __str__(self) -> str:
        return self.where if self.source == "file" else f"{self.source} {self.where}".strip()


@dataclass(frozen=True, slots=True)
class Given:
    """A checked value and its origin."""

    value: object
    origin: Origin


Found = dict[str, Given]


def from_flags(flags: Mapping[str, object], problems: list[Problem]) -> Found:
    """`flags` by dotted name; None means the flag was not given."""
    found: Found = {}
    for name, value in flags.items():
        if value is None:
            continue
        setting = all_settings()[name]
        origin = Origin("flag", f"--{flag_name(name)}")
        _keep(found, setting, value, origin, problems, typed=True)
    return found


def flag_name(name: str) -> str:
    """`gateway.port` → `port`, `console.port` → `console-port`."""
    section, _, key = name.partition(".")
    return (key if section == "gateway" else f"{section}-{key}").replace("_", "-")


def from_environment(environment: Mapping[str, str], problems: list[Problem]) -> Found:
    known = {setting.environment: setting for setting in all_settings().values()}
    found: Found = {}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in OWN_VARIABLES or _LINKS.fullmatch(name):
            continue
        origin = Origin("environment", name)
        if name in known:
            _keep(found, known[name], environment[name], origin, problems, typed=False)
        else:
            close = nearest(name, [*known, *OWN_VARIABLES])
            problems.append(Problem(str(origin), "no setting has this name", nearest=close))
    return found


def secrets_folder(environment: Mapping[str, str]) -> tuple[Path, bool] | None:
    """The folder of secret files and whether all in it is ours; None where there is none."""
    named = environment.get("MCP_PLATFORM_SECRETS_DIR")
    if named:
        return Path(named), True
    systemd = environment.get("CREDENTIALS_DIRECTORY")
    if systemd:
        return Path(systemd), False
    return (SECRETS_FOLDER, True) if SECRETS_FOLDER.is_dir() else None


def from_secret_files(environment: Mapping[str, str], problems: list[Problem]) -> Found:
    """Files named `gateway.port` or `gateway__port`, each holding one value."""
    where = secrets_folder(environment)
    found: Found = {}
    if where is None:
        return found
    folder, all_ours = where
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        problems.append(Problem(f"secret folder {folder}", f"cannot be read: {error.strerror}"))
        return found
    for name in names:
        # Kubernetes keeps the real files behind `..data`.
        if name.startswith("."):
            continue
        _one_secret_file(folder / name, all_ours, found, problems)
    return found


def _one_secret_file(path: Path, all_ours: bool, found: Found, problems: list[Problem]) -> None:
    dotted = path.name.replace("__", ".", 1).lower() if "." not in path.name else path.name
    origin = Origin("secret file", str(path))
    setting = all_settings().get(dotted)
    if setting is None:
        if all_ours or dotted.partition(".")[0] in sections():
            problems.append(Problem(str(origin), "no setting has this name", nearest=nearest(dotted, all_settings())))
        return
    if dotted in found:
        problems.append(Problem(str(origin), "the same setting has another file here", setting=dotted))
        return
    try:
        text = _read_secret(path)
    except OSError as error:
        problems.append(Problem(str(origin), f"cannot be read: {error.strerror}", setting=dotted))
        return
    except ValueError as error:
        problems.append(Problem(str(origin), str(error), setting=dotted))
        return
    _keep(found, setting, text, origin, problems, typed=False)


def _read_secret(path: Path) -> str:
    # O_NONBLOCK: a pipe must not hang the start.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("this is not a regular file")
        content = stream.read(MAX_SECRET_BYTES + 1)
    if len(content) > MAX_SECRET_BYTES:
        raise ValueError(f"the file is larger than {MAX_SECRET_BYTES // 1024} KiB")
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text") from None


def from_file(path: Path, problems: list[Problem]) -> Found:
    """The TOML file at `path`; nothing where there is none."""
    try:
        content = _read_config(path)
        statements = toml_file.read(content)
    except FileNotFoundError:
        return {}
    except OSError as error:
        problems.append(Problem(str(path), f"cannot be read: {error.strerror}"))
        return {}
    except toml_file.BadToml as error:
        place = ":".join(str(part) for part in (path, error.line, error.column) if part is not None)
        problems.append(Problem(place, error.problem))
        return {}
    found: Found = {}
    strangers: set[str] = set()
    for statement in statements:
        section = statement.name.partition(".")[0]
        # One line for an unknown section, not one more for each setting below it.
        if section in strangers:
            continue
        origin = Origin("file", f"{path}:{statement.line}")
        setting = all_settings().get(statement.name)
        if setting is not None:
            _keep(found, setting, statement.value, origin, problems, typed=True)
        elif not (statement.name in sections() and statement.value == {}):
            problems.append(_unknown(statement, origin.where))
            if statement.value == {} and section not in sections():
                strangers.add(section)
    return found


def _read_config(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(toml_file.MAX_BYTES + 1)


def _unknown(statement: toml_file.Statement, where: str) -> Problem:
    section, dot, key = statement.name.partition(".")
    if section in sections():
        if not dot:
            return Problem(where, f"`{section}` is a section: write `[{section}]` and its settings below it")
        own = [name for name in all_settings() if name.startswith(f"{section}.")]
        elsewhere = [name for name in all_settings() if name.endswith(f".{key}")]
        return Problem(
            where,
            f"`{_printable(statement.name)}` is not a setting",
            nearest=next(iter(elsewhere), None) or nearest(statement.name, own) or nearest(key, all_settings()),
        )
    what = "section" if statement.value == {} else "setting"
    known = sections() if what == "section" else all_settings()
    return Problem(where, f"`{_printable(statement.name)}` is not a {what}", nearest=nearest(statement.name, known))


def _printable(name: str) -> str:
    """A key's name, safe to print: a quoted TOML key may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in name[:80])


def _keep(
    found: Found, setting: Setting, value: object, origin: Origin, problems: list[Problem], *, typed: bool
) -> None:
    try:
        checked = setting.take(value) if typed else setting.parse(str(value))
    except NotAsExpected as error:
        problems.append(
            Problem(str(origin), f"`{setting.name}`", setting.name, expected=error.expected, arrived=error.arrived)
        )
        return
    found[setting.name] = Given(checked, origin)
