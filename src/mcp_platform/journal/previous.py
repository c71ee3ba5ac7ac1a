"""What a writer finds of its own at its start: the segment to follow, and files it prepared in an earlier life."""

from pathlib import Path
from typing import NamedTuple

from mcp_platform.journal import place
from mcp_platform.journal.files import Files, is_alive
from mcp_platform.journal.read import closing_of, header_of


class Previous(NamedTuple):
    """The segment that a new one follows."""

    segment: bytes
    hash: bytes | None
    """None where it was not closed: then its end is proven by control's `recovered` record."""


def previous_of(folder: Path, node: str, writer: str) -> Previous | None:
    """The writer's newest segment that has a header."""
    mine = [each for each in place.segments(folder) if each.stream == (node, writer)]
    for each in reversed(mine):
        header = header_of(folder, each.name)
        if header is not None:
            closing = closing_of(folder, each.name)
            return Previous(header.segment, closing[1] if closing is not None else None)
    return None


def tidy(files: Files, folder: Path, node: str, writer: str) -> None:
    """Remove what a dead process of this writer prepared and never began."""
    for each in place.segments(folder, ("new",)):
        if each.stream == (node, writer) and not is_alive(folder / each.file):
            files.remove(folder / each.file)
