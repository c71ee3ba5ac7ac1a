"""CSV that no spreadsheet takes for a program: RFC 4180, and nothing that begins as a formula does. Pure."""

import json
from collections.abc import Iterable
from typing import Final

_BEGINS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
"""What OWASP lists, and the full-width forms that some programs take for the same."""
_NEEDS_QUOTES: Final = frozenset('",\r\n;\t')


def csv_line(cells: Iterable[object]) -> str:
    """One line, ended as RFC 4180 says."""
    return ",".join(csv_cell(cell) for cell in cells) + "\r\n"


def csv_cell(cell: object) -> str:
    """Numbers as they are; text behind an apostrophe where a spreadsheet would calculate it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return str(cell)
    text = _text(cell)
    # Spaces before it do not keep every program from seeing a formula.
    if text.lstrip(" ").startswith(_BEGINS_FORMULA):
        text = f"'{text}"
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return '"' + text.replace('"', '""') + '"' if not _NEEDS_QUOTES.isdisjoint(text) else text


def _text(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    return json.dumps(cell, ensure_ascii=False) if cell else ""
