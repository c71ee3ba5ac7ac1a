"""Counters in shared memory: exact over processes, all or nothing, never filled up, sound after any death."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_platform.features.ratelimit.check import Rate, spend
from mcp_platform.features.ratelimit.model import LimitRow
from mcp_platform.gateway import meter as meters
from mcp_platform.gateway.meter import ANONYMOUS, CALLERS, SLOW, WINDOW, Bucket, Meter

HAMMER = Path(__file__).with_name("meter_hammer.py")
DAY = 86_400.0


@pytest.fixture
def meter() -> Iterator[Meter]:
    made = Meter(Meter.make())
    yield made
    made.close()


def rule(name: str, count: int, *, subject: str = "principal", period_s: float = DAY, shadow: bool = False) -> LimitRow:
    return LimitRow(name, subject, count, period_s, count, shadow=shadow)  # type: ignore[arg-type]  # text of a subject


def of(meter: Meter, made: LimitRow, who: bytes = b"ana", group: bytes = b"g") -> Bucket:
    return meter.bucket(made, who, group, shown=False)


def granted(meter: Meter, bucket: Bucket, tries: int) -> int:
    return sum(meter.take([bucket]).refused_by is None for _ in range(tries))


def test_a_bucket_grants_its_burst_and_names_the_wait(meter: Meter) -> None:
    bucket = of(meter, rule("daily", 5))
    assert granted(meter, bucket, 9) == 5
    taken = meter.take([bucket])
    assert taken.refused_by is bucket
    assert 17_000 < taken.wait / 1e9 <= 17_280
    assert meter.exhausted([bucket])


def test_a_refused_request_counts_nowhere(meter: Meter) -> None:
    """All or nothing: else whoever is refused by one rule spends what other rules grant."""
    wide, narrow = of(meter, rule("wide", 10)), of(meter, rule("narrow", 3))
    for buckets in ([wide, narrow], [narrow, wide]):
        meter.take(buckets)
    assert sum(meter.take([wide, narrow]).refused_by is None for _ in range(50)) == 1
    assert granted(meter, wide, 50) == 7


def test_of_two_that_refuse_the_longer_wait_is_named(meter: Meter) -> None:
    hourly, daily = of(meter, rule("hourly", 1, period_s=3600.0)), of(meter, rule("daily", 1))
    assert meter.take([hourly, daily]).refused_by is None
    assert meter.take([hourly, daily]).refused_by is daily
    assert meter.take([daily, hourly]).refused_by is daily


def test_a_shadow_says_what_it_would_have_refused_and_refuses_nothing(meter: Meter) -> None:
    shadow, wide = of(meter, rule("shadow", 2, shadow=True)), of(meter, rule("wide", 10))
    tats = [meter.take([shadow, wide]).tats for _ in range(4)]
    assert [bool(tat) for tat, _ in tats] == [True, True, False, False]
    assert granted(meter, wide, 50) == 6


def test_each_rule_rate_and_principal_has_a_counter_of_its_own(meter: Meter) -> None:
    assert granted(meter, of(meter, rule("daily", 3)), 9) == 3
    assert granted(meter, of(meter, rule("daily", 3), b"ben"), 9) == 3
    assert granted(meter, of(meter, rule("other", 3)), 9) == 3
    assert granted(meter, of(meter, rule("daily", 4)), 9) == 4
    assert granted(meter, of(meter, rule("daily", 3, subject="everyone")), 9) == 3
    assert granted(meter, of(meter, rule("daily", 3)), 9) == 0


def test_four_processes_at_once_are_granted_exactly_the_rule() -> None:
    done = subprocess.run(
        [sys.executable, str(HAMMER), "4", "2500", "1000"], capture_output=True, text=True, timeout=60, check=True
    )
    shares = json.loads(done.stdout)
    assert len(shares) == 4
    assert sum(shares) == 1000


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), max_size=120))
def test_it_counts_as_a_dictionary_would(steps: list[tuple[int, int, bool]]) -> None:
    """Against a plain model, in windows so full that buckets stand in each other's places."""
    meter = Meter.alone()
    rules = [rule(f"r{number}", number + 1) for number in range(4)]
    truth: dict[tuple[int, int], int] = {}
    buckets = {
        (who, kind): crowded(of(meter, rules[kind], b"%d" % who), SLOW.first) for who in range(6) for kind in range(4)
    }
    for who, kind, both in steps:
        kinds = [kind, (kind + 1) % 4] if both else [kind]
        now = time.monotonic_ns()
        tats = []
        for each in kinds:
            rate = Rate.of(rules[each])
            tats.append(spend(truth.get((who, each), 0), rate.interval, rate.tolerance, now))
        places = {key for key in truth if key not in [(who, each) for each in kinds]}
        if len(places) + len(kinds) > WINDOW:
            break  # the window is full: another test
        fine = all(tat > 0 for tat in tats)
        taken = meter.take([buckets[who, each] for each in kinds])
        assert (taken.refused_by is None) is fine
        if fine:
            for each, tat in zip(kinds, taken.tats, strict=True):
                truth[who, each] = tat
    meter.close()


def crowded(bucket: Bucket, home: int) -> Bucket:
    return Bucket(bucket.rule, bucket.rate, bucket.key, home, bucket.slow, bucket.shared, bucket.shadow)


def test_a_full_window_makes_newcomers_share_and_forgets_nobody(meter: Meter) -> None:
    made = rule("daily", 2, subject="address")
    own = [crowded(of(meter, made, b"%d" % number), ANONYMOUS.first) for number in range(WINDOW)]
    assert [granted(meter, bucket, 3) for bucket in own] == [2] * WINDOW
    late = [crowded(of(meter, made, b"late%d" % number, b"same"), ANONYMOUS.first) for number in range(5)]
    elsewhere = crowded(of(meter, made, b"elsewhere", b"other"), ANONYMOUS.first)
    assert sum(granted(meter, bucket, 2) for bucket in late) == 2, "one network's newcomers share one counter"
    assert meter.exhausted([late[0]])
    assert granted(meter, elsewhere, 3) == 2, "another network has another"
    assert [granted(meter, bucket, 3) for bucket in own] == [0] * WINDOW, "nobody's count was pushed out"


def test_a_million_addresses_neither_fill_it_nor_reach_a_caller(meter: Meter) -> None:
    """Issue: the store is bounded and cannot be filled up; a victim is never locked out."""
    daily = rule("daily", 5)
    victim, spent = of(meter, daily), of(meter, daily, b"ben")
    quick = of(meter, rule("quick", 100, period_s=1.0))
    assert granted(meter, spent, 9) == 5
    assert meter.take([victim]).refused_by is None
    failed = rule("failed", 10, subject="address", period_s=3600.0)
    mine = of(meter, failed, b"mine", b"192.0")
    assert granted(meter, mine, 20) == 10
    names = 1_000_000
    for number in range(names):
        meter.take([of(meter, failed, number.to_bytes(16), b"flood%d" % (number & 3))])
    assert granted(meter, mine, 20) == 0, "what was counted stays counted"
    assert granted(meter, victim, 9) == 4
    assert granted(meter, spent, 9) == 0
    assert granted(meter, quick, 10) == 10
    newcomer = of(meter, failed, b"newcomer", b"198.51")
    assert granted(meter, newcomer, 20) == 10, "a network that does not flood has room"
    began = time.process_time_ns()
    for number in range(20_000):
        meter.take([of(meter, failed, number.to_bytes(8), b"flood0")])
    assert (time.process_time_ns() - began) / 20_000 < 100_000, "a full table is no slower than a bounded search"


def test_what_has_expired_makes_room(meter: Meter) -> None:
    made = rule("second", 1000, period_s=1.0)
    for number in range(WINDOW * 4):
        bucket = crowded(of(meter, made, b"%d" % number), CALLERS.first)
        until = time.monotonic_ns() + 5_000_000_000
        while meter.take([bucket]).buckets != [bucket]:  # its own place, once an entry is over: a millisecond
            assert time.monotonic_ns() < until
    assert meter.take([bucket]).refused_by is None


def test_a_worker_killed_at_any_instant_leaves_a_sound_table(meter: Meter) -> None:
    """No half-written state, and the lock is free: the kernel lifts it."""
    chance = random.Random(7)
    rules = [rule(f"daily{number}", 1_000_000) for number in range(4)]
    buckets = [of(meter, each) for each in rules]
    counts, count = os.pipe()
    for _ in range(25):
        begun, begin = os.pipe()
        child = os.fork()
        if child == 0:
            meter.take(buckets)
            os.write(count, b".")
            os.write(begin, b".")
            while True:
                meter.take(buckets)
                os.write(count, b".")
        os.read(begun, 1)
        time.sleep(chance.random() / 100)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(begun)
        os.close(begin)
        assert meter.take(buckets).refused_by is None
    os.close(count)
    with os.fdopen(counts, "rb") as said:
        told = len(said.read()) + 25
    for each, bucket in zip(rules, buckets, strict=True):
        tat = meter.take([bucket]).tats[0]
        used = round((tat - time.monotonic_ns()) / Rate.of(each).interval)
        # What trickles back meanwhile is under a thousandth; each death may leave one take untold.
        assert told * 0.98 <= used <= told + 1 + 25


def test_the_memory_is_bounded_and_holds_no_name(meter: Meter) -> None:
    assert meters.TOTAL_BYTES < 16 << 20
    of(meter, rule("daily", 5), b"prn_secretname")
    meter.take([of(meter, rule("daily", 5), b"prn_secretname")])
    assert meter._map.find(b"secretname") < 0
