"""What a finding says to a person."""

import pytest

from mcp_platform.journal.findings import MEANING, Finding, Kind


def test_a_finding_says_its_numbers() -> None:
    tail = Finding(Kind.UNANCHORED_TAIL, "a", 12, 20)
    assert tail.says == "Records from 12 on are newer than the last checkpoint here: chained, but not signed."
    assert Finding(Kind.DAMAGED, "a", 3, 5).says.startswith("Records from 3 to 5 are not")


@pytest.mark.parametrize("kind", [kind for kind in Kind if "`" in MEANING[kind]])
def test_no_placeholder_is_left(kind: Kind) -> None:
    assert "`" not in Finding(kind, "a", 0).says
