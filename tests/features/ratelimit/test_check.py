"""The algorithm against a plain model of it, and which rules cover which request."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.features.ratelimit.check import (
    OTHER,
    Rate,
    anonymous_rules,
    endpoint_of,
    is_limit_name,
    rules_for,
    spend,
    standing,
)
from mcp_platform.features.ratelimit.model import LimitRow

DAY = 86_400.0
SECOND = 1_000_000_000
RATES = st.builds(
    lambda count, period_s, burst: Rate.of(LimitRow("r", "principal", count, period_s, burst)),
    st.integers(1, 100_000),
    st.sampled_from([1.0, 7.0, 60.0, 3600.0, DAY]),
    st.integers(1, 5000),
)
GAPS = st.lists(
    st.one_of(st.integers(0, 3), st.integers(0, SECOND), st.integers(0, 90_000 * SECOND)), min_size=1, max_size=200
)


class Leaky:
    """The model: a vessel that holds `burst` requests and leaks one in each interval."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._level = Fraction(0)
        self._at = 0

    def pour(self, now: int) -> bool:
        self._level = max(Fraction(0), self._level - Fraction(now - self._at, self._rate.interval))
        self._at = now
        if self._level + 1 > self._rate.tolerance // self._rate.interval + 1:
            return False
        self._level += 1
        return True

    @property
    def level(self) -> Fraction:
        return self._level


@given(RATES, GAPS)
def test_it_admits_exactly_what_a_leaky_vessel_holds(rate: Rate, gaps: list[int]) -> None:
    model, tat, now = Leaky(rate), 0, 1
    for gap in gaps:
        now += gap
        after = spend(tat, rate.interval, rate.tolerance, now)
        assert (after > 0) is model.pour(now)
        tat = after if after > 0 else tat
        left = standing(tat, rate, now)
        burst = rate.tolerance // rate.interval + 1
        assert left.remaining == int(burst - model.level)
        assert (left.reset_s == 0) is (model.level == 0)


@given(RATES, st.integers(0, 10**18), st.integers(0, 10**18))
def test_the_wait_it_names_is_the_shortest_that_helps(rate: Rate, tat: int, now: int) -> None:
    after = spend(tat, rate.interval, rate.tolerance, now)
    if after < 0:
        assert spend(tat, rate.interval, rate.tolerance, now - after) > 0
        assert spend(tat, rate.interval, rate.tolerance, now - after - 1) < 0


@given(st.integers(1, 1_000_000_000), st.sampled_from([1.0, 60.0, DAY]), st.integers(1, 50))
def test_no_rounding_ever_admits_more_than_the_rate(count: int, period_s: float, burst: int) -> None:
    rate = Rate.of(LimitRow("r", "principal", count, period_s, burst))
    assert rate.interval * count >= round(period_s * SECOND)


def test_a_thousand_a_day_are_a_thousand() -> None:
    rate, tat, admitted = Rate.of(LimitRow("r", "principal", 1000, DAY, 1000)), 0, 0
    for request in range(10_000):
        after = spend(tat, rate.interval, rate.tolerance, 1 + request * 8_000_000)  # within 80 seconds
        if after > 0:
            tat, admitted = after, admitted + 1
    assert admitted == 1000
    assert rate.slow


@pytest.mark.parametrize(
    "path", ["/MCP", "/mcp/", "/%6dcp", "/mcp;x", "/mcp%20", "//mcp", "/mcp/..", "/Healthz", "/.well-known/x", ""]
)
def test_a_variant_of_a_path_is_one_with_every_other_path(path: str) -> None:
    """Else each spelling would be a bucket of its own."""
    assert endpoint_of(path) == OTHER


def test_both_names_of_health_are_one() -> None:
    assert endpoint_of("/health") == endpoint_of("/healthz") == "/healthz"
    assert endpoint_of("/ready") == endpoint_of("/readyz") == "/readyz"


def rule(name: str, **given: object) -> LimitRow:
    return LimitRow(name, **{"subject": "principal", "count": 1, "period_s": 1.0, "burst": 1, **given})  # type: ignore[arg-type]  # a test's shorthand


def names(rules: list[LimitRow], method: str | None, tool: tuple[str, str] | None, principal: str = "ana") -> list[str]:
    return [each.name for each in rules_for(rules, principal, "/mcp", method, tool)]


def test_a_request_comes_under_the_rules_of_its_path_method_and_tool() -> None:
    rules = [
        rule("all"),
        rule("path", endpoint="/mcp"),
        rule("health", endpoint="/healthz"),
        rule("call", endpoint="tools/call"),
        rule("list", endpoint="tools/list"),
        rule("git", endpoint="tools/call", tool="git/*"),
        rule("log", endpoint="tools/call", tool="*/git_log"),
        rule("one", endpoint="tools/call", tool="git/git_log"),
        rule("shared", subject="everyone", endpoint="tools/call", tool="*/*"),
        rule("anonymous", subject="address"),
    ]
    assert names(rules, None, None) == ["all", "path"]
    assert names(rules, "tools/list", None) == ["all", "path", "list"]
    assert names(rules, "tools/call", ("git", "git_log")) == [
        "all", "path", "call", "git", "log", "one", "shared",
    ]  # fmt: skip
    assert names(rules, "tools/call", ("web", "search")) == ["all", "path", "call", "shared"]
    assert names(rules, "tools/call", None) == ["all", "path", "call"]


def test_a_rule_for_one_principal_stands_in_for_the_one_for_each() -> None:
    rules = [
        rule("each"),
        rule("ana's", principal="ana"),
        rule("calls", endpoint="tools/call"),
        rule("ben's", principal="ben"),
        rule("shared", subject="everyone"),
    ]
    assert names(rules, "tools/call", None) == ["ana's", "calls", "shared"]
    assert names(rules, "tools/call", None, "ben") == ["calls", "ben's", "shared"]
    assert names(rules, "tools/call", None, "eve") == ["each", "calls", "shared"]


def test_only_rules_by_address_cover_who_is_not_known() -> None:
    rules = [rule("each"), rule("mcp", subject="address", endpoint="/mcp"), rule("any", subject="address")]
    assert [each.name for each in anonymous_rules(rules, "/mcp")] == ["mcp", "any"]
    assert [each.name for each in anonymous_rules(rules, OTHER)] == ["any"]


@pytest.mark.parametrize(("name", "fine"), [("a", True), ("a.b-c_1", True), ("", False), ('a"', False), ("A", False)])
def test_a_name_fits_into_a_header(name: str, fine: bool) -> None:
    assert is_limit_name(name) is fine
