"""A TOML file as a list of (dotted name, value, line), with where it goes wrong when it does.

The standard reader gives no lines; but every TOML statement is itself a TOML document, so the file is cut into
statements and each is read alone. Never repeats what stands in the file, except names of keys.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_BYTES = 256 * 1024
"""Bytes. All settings with all their comments are 12 KiB; a file twenty times that is not this one."""

_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_SAYINGS = {
    "Cannot overwrite a value": "this key is set twice",
    "Cannot declare": "this table stands twice",
    "Duplicate inline table key": "this key is set twice",
    "Cannot mutate immutable namespace": "this key is set twice",
    "Unclosed array": "the list is not closed",
    "Unclosed inline table": "the inline table is not closed",
    "Unterminated string": "the text is not closed",
    'Expected \'"""\'': "the text is not closed",
    "Expected newline or end of document after a statement": "more stands after the value than one value",
    "Expected '=' after a key": "`=` is missing after the key",
    "Invalid value": "no valid value stands after `=`; text needs quotation marks",
    "Invalid statement": "this is neither `key = value` nor `[section]`",
    "Invalid initial character for a key part": "this is not a key; write `key = value`",
    "Expected ']'": "`]` is missing",
}


class BadToml(ValueError):
    """The file is not TOML, or not readable; line and column (from 1) where they are known."""

    def __init__(self, problem: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Statement:
    """One value in the file."""

    name: str
    """Dotted: `section.key`; an empty section `[x]` gives `x` with an empty table."""
    value: object
    line: int


def read(content: bytes) -> list[Statement]:
    """Every value in `content`, in order. Raises BadToml."""
    if len(content) > MAX_BYTES:
        raise BadToml(f"the file is larger than {MAX_BYTES // 1024} KiB")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BadToml("the file is not UTF-8", content[: error.start].count(b"\n") + 1) from None
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(error, text) from None
    except RecursionError:
        raise BadToml("lists or tables are nested too deeply") from None
    return list(_statements(text.replace("\r\n", "\n")))


def _statements(text: str) -> Iterator[Statement]:
    prefix: tuple[str, ...] = ()
    chunk, start = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        if not chunk:
            start = number
        chunk += line + "\n"
        try:
            read_alone = tomllib.loads(chunk)
        except tomllib.TOMLDecodeError:
            continue  # a list or a text that goes on in the next line
        is_header, is_array = chunk.lstrip().startswith("["), chunk.lstrip().startswith("[[")
        chunk = ""
        if is_header:
            prefix = _path(read_alone)
            yield Statement(".".join(prefix), [] if is_array else {}, start)
            continue
        for path, value in _leaves(read_alone):
            yield Statement(".".join((*prefix, *path)), value, start)


def _path(header: dict[str, object]) -> tuple[str, ...]:
    """The names in `[a.b]` or `[[a.b]]`, read alone."""
    names: list[str] = []
    level: object = header
    while isinstance(level, dict) and level:
        ((name, level),) = level.items()
        names.append(name)
        if isinstance(level, list):
            level = level[0]
    return tuple(names)


def _leaves(table: dict[str, object], deep: int = 0) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in table.items():
        if isinstance(value, dict) and value and deep < 2:
            for path, leaf in _leaves(value, deep + 1):
                yield (key, *path), leaf
        else:
            yield (key,), value


def _bad(error: tomllib.TOMLDecodeError, text: str) -> BadToml:
    said = str(error)
    where = _WHERE.search(said)
    problem = next((ours for theirs, ours in _SAYINGS.items() if said.startswith(theirs)), "this is not valid TOML")
    if where is None:
        return BadToml(problem)
    if where[1] is None:
        return BadToml(problem, text.count("\n") + 1)
    return BadToml(problem, int(where[1]), int(where[2]))
