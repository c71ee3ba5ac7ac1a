"""W3C Trace Context, §3.2: the examples and the rules of the recommendation."""

import pytest

from mcp_platform.wire.trace import child, trace_of

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_child_keeps_trace_and_flags_and_has_a_span_of_its_own() -> None:
    made = child(GOOD)
    assert made is not None
    assert (made[:36], made[52:]) == (GOOD[:36], "-01")
    assert made[36:52] != GOOD[36:52]
    assert trace_of(made) == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_version_of_the_future_is_read_as_ours() -> None:
    assert trace_of("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes") is not None


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "",
        GOOD.upper(),
        GOOD[:-1],
        "ff" + GOOD[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        GOOD + "\n",
    ],
)
def test_what_is_no_trace_context_starts_nothing(bad: object) -> None:
    assert trace_of(bad) is None
    assert not isinstance(bad, str) or child(bad) is None
