"""How many workers a machine carries."""

import os

import pytest

from mcp_platform.supervisor.cores import quota_cores, usable_cores


@pytest.mark.parametrize(
    ("line", "cores"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("", None),
        ("1 0", None),
        ("a b", None),
    ],
)
def test_a_quota_is_rounded_up_to_whole_cores(line: str, cores: int | None) -> None:
    assert quota_cores(line) == cores


def test_there_is_at_least_one_core_and_no_more_than_we_may_use() -> None:
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
