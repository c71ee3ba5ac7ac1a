"""Secrets on their way in: headers and environment variables for a server, from files, stdin or, with a warning, argv.

A value never stands in an error message.
"""

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

MAX_BYTES = 256 * 1024
"""Bytes of one file: control takes requests of up to 1 MiB."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]{0,8190}[\x21-\x7e])?")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LOOKS_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE)

Warn = Callable[[str], None]
_ON_ARGV = "its value stood on the command line, where other users of this machine and your shell's history see it; "


def headers(literal: Sequence[str], files: Sequence[str], warn: Warn) -> dict[str, str] | None:
    """`K: V` from options and files, V perhaps `@file:PATH`; None where there are none."""
    found: dict[str, str] = {}
    for number, text in enumerate(literal, start=1):
        name, value = _split_header(text, f"--header number {number}")
        if not _is_reference(value):
            warn(f"Header {name}: {_ON_ARGV}better --header '{name}: @file:PATH' or --header-file.")
        _add(found, name, _header_value(_resolve(value, f"header {name}"), name), "header")
    for path in files:
        for number, line in _lines(path):
            name, value = _split_header(line, f"line {number} of the header file")
            _add(found, name, _header_value(_resolve(value, f"header {name}"), name), "header")
    return found or None


def variables(literal: Sequence[str], files: Sequence[str], warn: Warn) -> dict[str, str] | None:
    """`K=V` from options and files, or `K` alone for the value that K has here; None where there are none."""
    found: dict[str, str] = {}
    for number, text in enumerate(literal, start=1):
        name, value = _split_variable(text, f"--env number {number}")
        if "=" in text and not _is_reference(value) and _LOOKS_SECRET.search(name):
            warn(f"Variable {name}: {_ON_ARGV}better --env {name}=@file:PATH, --env {name} alone, or --env-file.")
        _add(found, name, _resolve(value, f"variable {name}"), "variable")
    for path in files:
        for number, line in _lines(path):
            name, value = _split_variable(line, f"line {number} of the env file")
            _add(found, name, _resolve(value, f"variable {name}"), "variable")
    return found or None


def _split_header(text: str, where: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _HEADER_NAME.fullmatch(name):
        raise click.UsageError(f"{where}: expected 'Name: value'.")
    return name, value.strip()


def _header_value(value: str, name: str) -> str:
    if not _HEADER_VALUE.fullmatch(value):
        raise click.UsageError(f"Header {name}: expected one line of visible ASCII characters.")
    return value


def _split_variable(text: str, where: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not _VARIABLE_NAME.fullmatch(name):
        raise click.UsageError(f"{where}: expected NAME=value, or NAME alone.")
    if equals:
        return name, value
    here = os.environ.get(name)
    if here is None:
        raise click.UsageError(f"{where}: the variable {name} is not set here; set it, or write {name}=value.")
    return name, here


def _is_reference(value: str) -> bool:
    return value.startswith(("@file:", "@env:")) or value == "@stdin"


def _resolve(value: str, what: str) -> str:
    """What `@file:PATH`, `@env:NAME` and `@stdin` stand for; anything else is itself."""
    if value.startswith("@file:"):
        return _read(value.removeprefix("@file:"), what).rstrip("\r\n")
    if value == "@stdin":
        return _read("-", what).rstrip("\r\n")
    if value.startswith("@env:"):
        here = os.environ.get(value.removeprefix("@env:"))
        if here is None:
            raise click.UsageError(f"The {what} names an environment variable that is not set.")
        return here
    if "\0" in value:
        raise click.UsageError(f"The {what} holds a zero byte.")
    return value


def text_of(path: str, what: str) -> str:
    """The text of a file; `-` is stdin."""
    return _read(path, what)


def _lines(path: str) -> list[tuple[int, str]]:
    """The lines that are neither empty nor a comment, with their numbers."""
    text = _read(path, "file")
    return [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip() and line[0] != "#"]


def _read(path: str, what: str) -> str:
    """The file's text; `-` is stdin."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).expanduser().open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        text = content.decode()
    except OSError as error:
        raise click.UsageError(f"The {what} cannot be read from its file: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"The {what} is not UTF-8 text.") from error
    if len(content) > MAX_BYTES or "\0" in text:
        raise click.UsageError(f"The {what} is larger than {MAX_BYTES // 1024} KiB or holds a zero byte.")
    return text


def _add(found: dict[str, str], name: str, value: str, what: str) -> None:
    key = name.lower() if what == "header" else name
    if key in (known.lower() if what == "header" else known for known in found):
        raise click.UsageError(f"The {what} {name} is given twice.")
    found[name] = value
