"""A call that has become a tenth dearer is noticed before it is merged."""

import pytest

from tests.bench import regression

pytestmark = pytest.mark.alone


def test_a_call_takes_the_instructions_that_were_accepted() -> None:
    """Us: performance.md. Where the change is wanted: python -m tests.bench.regression --keep, and say why."""
    accepted = regression.baseline_of_instructions()
    if accepted is None:
        pytest.skip(f"no baseline for {regression.python()}: python -m tests.bench.regression --keep")
    found = regression.instructions()
    assert not regression.is_more(found, accepted), f"{found} bytecode instructions a call, accepted {accepted}"


def test_some_instructions_more_are_seen() -> None:
    """A check that cannot fail is none: a round of the yardstick is a twentieth of a call."""
    plain, planted = regression.instructions(), regression.instructions(1)
    assert plain == regression.instructions(), "they are counted, so there is no noise"
    assert regression.is_more(planted, plain), (plain, planted)


def test_a_call_costs_what_was_accepted() -> None:
    """The same in time, which holds what C code does, too."""
    accepted = regression.baseline()
    if accepted is None:
        pytest.skip(f"no baseline for {regression.place()}: python -m tests.bench.regression --keep")
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
