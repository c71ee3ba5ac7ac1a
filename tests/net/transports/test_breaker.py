"""The circuit of an upstream: opened by failures to reach it, tried by one probe, slower each time. Time is a value."""

import pytest

from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.net.transports.breaker import FAILURES, MAX_WAIT_S, Breaker, Pass, Verdict
from mcp_platform.net.transports.links import verdict_of
from mcp_platform.net.upstream_errors import (
    UPSTREAM_BUSY,
    UPSTREAM_DOWN,
    UPSTREAM_GARBAGE,
    UPSTREAM_LOST,
    UPSTREAM_REFUSED,
    UPSTREAM_TIMEOUT,
)


def admitted(breaker: Breaker, now: float) -> Pass:
    given = breaker.admit(now)
    assert given is not None
    return given


def fail(breaker: Breaker, now: float, times: int = 1) -> None:
    for _ in range(times):
        breaker.settle(admitted(breaker, now), Verdict.FAILED, now)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    fail(breaker, now, FAILURES)
    return breaker


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker()
    fail(breaker, 0, FAILURES - 1)
    assert breaker.state(0) == "closed"
    breaker.settle(admitted(breaker, 0), Verdict.REACHED, 0)
    fail(breaker, 0, FAILURES - 1)
    assert breaker.state(0) == "closed"
    fail(breaker, 0)
    assert breaker.state(0) == "open"
    assert breaker.admit(0) is None
    assert breaker.wait_s(0) == 1.0


def test_what_says_nothing_counts_for_nothing() -> None:
    breaker = Breaker()
    fail(breaker, 0, FAILURES - 1)
    breaker.settle(admitted(breaker, 0), Verdict.UNKNOWN, 0)
    fail(breaker, 0)
    assert breaker.state(0) == "open"


def test_one_probe_passes_when_the_wait_is_over() -> None:
    breaker = opened()
    assert breaker.admit(0.9) is None
    assert breaker.state(1.0) == "half_open"
    probe = admitted(breaker, 1.0)
    assert probe.probe
    assert breaker.admit(1.0) is None
    breaker.settle(probe, Verdict.REACHED, 1.5)
    assert breaker.state(1.5) == "closed"
    assert not admitted(breaker, 1.5).probe


def test_a_probe_that_fails_doubles_the_wait_up_to_the_ceiling() -> None:
    breaker = opened()
    now, waits = 0.0, []
    for _ in range(10):
        waits.append(breaker.wait_s(now))
        now += waits[-1]
        breaker.settle(admitted(breaker, now), Verdict.FAILED, now)
    assert waits == [1, 2, 4, 8, 16, 32, MAX_WAIT_S, MAX_WAIT_S, MAX_WAIT_S, MAX_WAIT_S]


def test_a_probe_that_says_nothing_lets_the_next_one_pass_at_once() -> None:
    breaker = opened()
    breaker.settle(admitted(breaker, 1), Verdict.UNKNOWN, 1)
    assert admitted(breaker, 1).probe


def test_late_failures_of_calls_that_were_under_way_change_nothing() -> None:
    breaker = Breaker()
    under_way = [admitted(breaker, 0) for _ in range(100)]
    for given in under_way:
        breaker.settle(given, Verdict.FAILED, 0)
    assert breaker.wait_s(0) == 1.0
    probe = admitted(breaker, 1)
    breaker.settle(under_way[0], Verdict.FAILED, 1)
    assert breaker.admit(1) is None
    breaker.settle(probe, Verdict.REACHED, 1)
    fail(breaker, 1, FAILURES - 1)
    breaker.settle(under_way[1], Verdict.FAILED, 1)
    assert breaker.state(1) == "closed"


def test_a_late_answer_closes_it() -> None:
    breaker = Breaker()
    slow = admitted(breaker, 0)
    fail(breaker, 0, FAILURES)
    breaker.settle(slow, Verdict.REACHED, 0.5)
    assert breaker.state(0.5) == "closed"


def test_after_it_closed_the_first_wait_is_short_again() -> None:
    breaker = opened()
    breaker.settle(admitted(breaker, 1), Verdict.FAILED, 1)
    breaker.settle(admitted(breaker, 3), Verdict.REACHED, 3)
    fail(breaker, 3, FAILURES)
    assert breaker.wait_s(3) == 1.0


@pytest.mark.parametrize(
    ("kind", "data", "verdict"),
    [
        (UPSTREAM_DOWN, {"stage": "connect"}, Verdict.FAILED),
        (UPSTREAM_TIMEOUT, {"stage": "mcp"}, Verdict.FAILED),
        (UPSTREAM_DOWN, {"stage": "http", "http": 502}, Verdict.FAILED),
        (UPSTREAM_TIMEOUT, {}, Verdict.UNKNOWN),
        (UPSTREAM_TIMEOUT, {"stage": "http", "http": 504}, Verdict.UNKNOWN),
        (UPSTREAM_LOST, {}, Verdict.UNKNOWN),
        (UPSTREAM_BUSY, {}, Verdict.UNKNOWN),
        (UPSTREAM_GARBAGE, {}, Verdict.REACHED),
        (UPSTREAM_REFUSED, {"stage": "auth"}, Verdict.REACHED),
    ],
)
def test_only_what_could_not_be_reached_is_a_failure(
    kind: ErrorKind, data: dict[str, object], verdict: Verdict
) -> None:
    assert verdict_of(Fault(kind, data=data)) is verdict
