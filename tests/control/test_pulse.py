"""When a server is looked at, and when it is said to be away."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.control.pulse import CEILING, HINT_BURST, MAX_HINT_PAUSE_S, MAX_HOLD_S, Pulse


def test_one_failure_says_nothing_and_two_do_once() -> None:
    pulse = Pulse(30.0)
    assert [pulse.failed(now) for now in (1.0, 2.0, 3.0)] == [False, True, False]
    assert pulse.well(4.0)
    assert not pulse.well(5.0)


def test_a_server_that_is_down_is_asked_later_and_later_up_to_a_ceiling() -> None:
    pulse = Pulse(30.0)
    waits = []
    for now in range(12):
        pulse.failed(float(now))
        waits.append(pulse.wait_s())
    assert waits[:4] == [2.0, 4.0, 8.0, 16.0]
    assert waits == sorted(waits)
    assert waits[-1] == 30.0 * CEILING
    pulse.well(1000.0)
    assert pulse.wait_s() == 30.0


def test_one_that_comes_and_goes_stays_marked_longer_each_time() -> None:
    pulse = Pulse(30.0)
    marked = now = 0.0
    held = []
    for _ in range(8):
        pulse.failed(now)
        assert pulse.failed(now)
        marked = now
        while not pulse.well(now):
            now += 1.0
        held.append(now - marked)
    assert held[:4] == [0.0, 10.0, 20.0, 40.0]
    assert max(held) <= MAX_HOLD_S


def test_a_server_that_announces_without_end_is_listed_less_and_less_often() -> None:
    """After a burst in which each change is listed at once."""
    pulse = Pulse(30.0)
    assert [pulse.hinted(0.0) for _ in range(HINT_BURST + 1)] == [0.0] * (HINT_BURST + 1)
    now, waits = 0.0, []
    for _ in range(12):
        wait = pulse.hinted(now)
        waits.append(wait)
        now += wait
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(waits) == MAX_HINT_PAUSE_S
    assert pulse.hinted(now + 1000.0) == 0.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 1000.0)), max_size=60))
def test_marks_and_their_ends_take_turns(turns: list[tuple[bool, float]]) -> None:
    pulse, now, marked = Pulse(30.0), 0.0, False
    for up, later in turns:
        now += later
        if up and pulse.well(now):
            assert marked
            marked = False
        elif not up and pulse.failed(now):
            assert not marked
            marked = True
        assert pulse.stale == marked
        assert 0 < pulse.wait_s() <= 30.0 * CEILING
