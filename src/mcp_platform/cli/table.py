"""Aligned columns for people."""

import unicodedata
from collections.abc import Iterable, Sequence

from mcp_platform.cli.output import printable

GAP = "  "


def render(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table as text. None is an empty cell; nothing is cut: a name or a command must be seen whole."""
    cells = [[printable(_one_line(cell)) for cell in row] for row in rows]
    widths = [max(_width(line[i]) for line in [list(heads), *cells]) for i in range(len(heads))]
    return "\n".join(
        GAP.join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [[head.upper() for head in heads], *cells]
    )


def _one_line(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, list | tuple):
        return ", ".join(str(part) for part in cell)
    return " ".join(str(cell).split())


def _width(text: str) -> int:
    """Columns on a terminal: two for wide characters, none for combining ones."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
