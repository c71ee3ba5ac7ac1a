"""What a command says: one JSON object on stdout with --json, lines for people otherwise; progress only on stderr."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go."""

    as_json: bool = False
    quiet: bool = False

    def result(self, answer: Mapping[str, object]) -> None:
        """The one object of --json; nothing for people."""
        if self.as_json:
            print_object(answer)

    def line(self, text: str = "") -> None:
        """A line of the answer, for people."""
        if not self.as_json:
            print(printable(text), flush=True)

    def advice(self, text: str) -> None:
        """What to do next: not part of the answer, so silent with --quiet."""
        if not self.as_json and not self.quiet:
            print(printable(text), flush=True)

    def progress(self, text: str) -> None:
        if not self.quiet:
            print(printable(text), file=sys.stderr, flush=True)

    def warning(self, text: str) -> None:
        """Said even with --quiet."""
        print(f"Warning: {printable(text)}", file=sys.stderr, flush=True)


_printed: list[bool] = []


def print_object(answer: Mapping[str, object]) -> None:
    """The one object of this run."""
    object_was_printed()
    print(json.dumps(answer, ensure_ascii=False, default=str), flush=True)


def object_was_printed() -> None:
    """Take note of the object, which may come from a process of ours."""
    assert not _printed, "--json promises exactly one object"
    _printed.append(True)


def object_is_printed() -> bool:
    """True where the object is out already: what goes wrong after it can only go to stderr."""
    return bool(_printed)


def printable(text: str) -> str:
    """`text` without control characters: names and descriptions come from servers that we do not trust, and a
    terminal obeys escape sequences."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def use_colour() -> bool:
    """Only for a terminal, and not where NO_COLOR is set (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
