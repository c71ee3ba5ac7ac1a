"""When a dead process is started again."""

from mcp_platform.supervisor.restart import FIRST_DELAY_S, GOOD_LIFE_S, LONGEST_DELAY_S, next_delay_s


def test_the_first_death_is_followed_by_the_first_delay() -> None:
    assert next_delay_s(None, 0.0) == FIRST_DELAY_S


def test_short_lives_double_the_delay_up_to_the_longest() -> None:
    delays = [next_delay_s(None, 0.0)]
    for _ in range(1000):
        delays.append(next_delay_s(delays[-1], 0.1))
    assert delays[:4] == [0.05, 0.1, 0.2, 0.4]
    assert delays[-1] == max(delays) == LONGEST_DELAY_S


def test_the_longest_delay_leaves_time_to_start_within_three_seconds() -> None:
    """The promise of the issue: back within 3 s, however often it was killed."""
    assert LONGEST_DELAY_S <= 2.0


def test_a_good_life_starts_over() -> None:
    assert next_delay_s(LONGEST_DELAY_S, GOOD_LIFE_S) == FIRST_DELAY_S
