"""A call that has become a tenth dearer is noticed before it is merged."""

import pytest

from tests.bench import regression

pytestmark = pytest.mark.alone


def test_a_call_costs_what_was_accepted() -> None:
    """Us: performance.md. Where the change is wanted: python -m tests.bench.regression --keep, and say why."""
    accepted = regression.baseline()
    if accepted is None:
        pytest.skip(f"no baseline for {regression.python()}: python -m tests.bench.regression --keep")
    # The machine may be busy with others; what is dearer is so each time.
    found = [regression.measure()]
    while regression.is_slower(min(found), accepted) and len(found) < 3:
        found.append(regression.measure())
    assert not regression.is_slower(min(found), accepted), f"{found} yardsticks a call, accepted {accepted}"


def test_a_tenth_more_is_seen() -> None:
    """A check that cannot fail is none: plant a slowdown of a tenth of a call and see it found."""
    plain = regression.measure()
    # A call is timed as `plain` times eight rounds of the yardstick.
    planted = regression.measure(round(plain * 8 * 0.1) or 1)
    assert regression.is_slower(planted, plain), (plain, planted)
