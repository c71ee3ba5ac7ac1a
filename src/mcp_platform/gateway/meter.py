"""Counters of limits in memory that all workers of a node share, under one lock: exact, bounded, never filled up.

The supervisor makes the memory before it forks. A bucket is 16 bytes: a keyed hash of its name and its TAT (see
features/ratelimit/check.py), each written in one go; an entry whose TAT has passed says nothing and is used again. So
a worker may die at any instant. Locked with POSIX record locks, which the kernel lifts when a process dies.
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_UN
from fcntl import lockf as _lock
from hashlib import blake2b
from mmap import mmap
from time import monotonic_ns as _now
from typing import NamedTuple

from mcp_platform.features.ratelimit.check import Rate, spend
from mcp_platform.features.ratelimit.model import LimitRow

WINDOW = 16
"""Places where a bucket may stand, from the one that its hash names. All of them in use at 60 % of a region in use:
less than once in 10,000 names."""
HEADER_WORDS = 64
KEY_AT = 1
"""Words 1 to 4 hold the key of the hash."""
CHANGES_AT = 5
"""Counts changes to the region of slow buckets, so that who keeps them on the disk knows whether to."""
_FORMAT = 0x6D6370706C696D31


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the table, as words of 8 bytes. Nothing in one can push out anything in another."""

    first: int
    places: int

    @property
    def words(self) -> int:
        """With room behind the last place for its window."""
        return 2 * (self.places + WINDOW)

    @property
    def end(self) -> int:
        return self.first + self.words


ANONYMOUS = Region(HEADER_WORDS, 1 << 18)
"""4 MiB: what addresses without a good credential did."""
ANONYMOUS_SHARED = Region(ANONYMOUS.end, 1 << 15)
"""Where many addresses share a bucket when there is no place for one of their own."""
CALLERS = Region(ANONYMOUS_SHARED.end, 1 << 19)
"""8 MiB: what principals did."""
CALLERS_SHARED = Region(CALLERS.end, 1 << 15)
SLOW = Region(CALLERS_SHARED.end, 1 << 17)
"""2 MiB: what principals did under rules whose buckets take long to fill; kept over a restart."""
TOTAL_BYTES = SLOW.end * 8


@dataclass(frozen=True, slots=True)
class Bucket:
    """One counter of one rule."""

    rule: str
    rate: Rate
    key: int
    """64 bits of keyed hash, never 0."""
    home: int
    """Word where its window begins."""
    slow: bool
    shared: "Bucket | None"
    """Counts in its place when its window is full."""
    shadow: bool = False
    shown: bool = False
    """Whether its caller is told what is left in it."""
    label: bytes = b""
    """The rule's name as header lines have it."""
    half: int = 0
    """Nanoseconds that the TAT is ahead of now when half of the burst is used."""


class Taken(NamedTuple):
    """What came of `take`."""

    refused_by: Bucket | None
    wait: int
    """Nanoseconds until the refusing bucket has one to spare."""
    now: int
    buckets: Sequence[Bucket]
    """What counted: the buckets asked for, or those that they share with others."""
    tats: Sequence[int]
    """TAT of each bucket afterwards; 0 for a shadow bucket that would have refused."""


class Meter:
    """Buckets in shared memory."""

    def __init__(self, memory: int) -> None:
        """`memory` is what `make` made, or -1 for counters of this process alone, which need no lock."""
        self._memory = memory
        self._map = mmap(memory, TOTAL_BYTES)
        self._words = memoryview(self._map).cast("Q")
        if memory < 0:
            _found(self._map)
        assert self._words[0] == _FORMAT, "the memory was made by Meter.make"
        self._key = bytes(self._map[8 * KEY_AT : 8 * KEY_AT + 32])

    @staticmethod
    def make() -> int:
        """Memory with no counter in it: an open memfd. Call it before the workers are forked."""
        memory = os.memfd_create("limits", os.MFD_CLOEXEC)
        os.ftruncate(memory, TOTAL_BYTES)
        with mmap(memory, TOTAL_BYTES) as made:
            _found(made)
        return memory

    @classmethod
    def alone(cls) -> "Meter":
        """Counters of a process that has no siblings."""
        return cls(-1)

    def bucket(self, rule: LimitRow, who: bytes, group: bytes, *, shown: bool) -> Bucket:
        """The counter of `who` under `rule`; another one when what the rule grants changes. `group` is who shares a
        counter with others like it when the table is full."""
        rate = Rate.of(rule)
        anonymous = rule.subject == "address"
        region = ANONYMOUS if anonymous else SLOW if rate.slow else CALLERS
        common = ANONYMOUS_SHARED if anonymous else CALLERS_SHARED
        name = f"{rule.name} {rule.subject} {rate.interval} {rate.tolerance} ".encode()
        shared = Bucket(rule.name, rate, *self._place(name + b"+" + group, common), None, rule.shadow)
        return Bucket(
            rule.name,
            rate,
            *self._place(name + b"=" + who, region),
            shared,
            rule.shadow,
            shown,
            label=rule.name.encode(),
            half=(rate.tolerance + rate.interval) // 2,
        )

    def _place(self, name: bytes, region: Region) -> tuple[int, int, bool]:
        """Key, home and whether it is slow."""
        digest = blake2b(name, key=self._key, digest_size=16).digest()
        key = int.from_bytes(digest[:8], "little") or 1
        home = region.first + 2 * (int.from_bytes(digest[8:], "little") % region.places)
        return key, home, region is SLOW

    def take(self, buckets: Sequence[Bucket]) -> Taken:
        """Count one request in every bucket, or, where one refuses, in none."""
        memory = self._memory
        if memory >= 0:
            _lock(memory, LOCK_EX)
        try:
            now = _now()
            if len(buckets) == 1:
                tat = self._take_at_home(buckets[0], now)
                if tat > 0:
                    return Taken(None, 0, now, buckets, (tat,))
            return self._take(buckets, now)
        finally:
            if memory >= 0:
                _lock(memory, LOCK_UN)

    def _take_at_home(self, bucket: Bucket, now: int) -> int:
        """What `_take` does, where there is one bucket and it stands where its hash says: most requests. The TAT
        afterwards, or, where nothing was counted, no number above 0."""
        words, at = self._words, bucket.home
        if words[at] != bucket.key:
            return 0
        rate = bucket.rate
        tat = spend(words[at + 1], rate.interval, rate.tolerance, now)
        if tat > 0:
            words[at + 1] = tat
            if bucket.slow:
                words[CHANGES_AT] += 1
        return tat

    def exhausted(self, buckets: Sequence[Bucket]) -> bool:
        """Whether one of them would refuse now. Counts nothing, locks nothing."""
        now = _now()
        words = self._words
        for each in buckets:
            if each.shadow:
                continue
            bucket = each
            at = self._find(bucket, now)
            while at < 0:
                bucket = self._other(bucket)
                at = self._find(bucket, now)
            rate = bucket.rate
            if words[at] == bucket.key and spend(words[at + 1], rate.interval, rate.tolerance, now) < 0:
                return True
        return False

    def _take(self, buckets: Sequence[Bucket], now: int) -> Taken:
        words = self._words
        refused_by: Bucket | None = None
        wait = 0
        places: list[int] = []
        tats: list[int] = []
        for bucket in buckets:
            at = bucket.home
            if words[at] != bucket.key:
                at = self._find(bucket, now)
                if at < 0:
                    return self._take([each if each is not bucket else self._other(each) for each in buckets], now)
            rate = bucket.rate
            tat = words[at + 1] if words[at] == bucket.key else 0
            after = spend(tat, rate.interval, rate.tolerance, now)
            if after < 0:
                if not bucket.shadow and -after > wait:
                    refused_by, wait = bucket, -after
                after = 0
            places.append(at)
            tats.append(after)
        if refused_by is None:
            for bucket, at, tat in zip(buckets, places, tats, strict=True):
                if tat:
                    self._write(bucket, at, tat, now)
        return Taken(refused_by, wait, now, buckets, tats)

    def _write(self, bucket: Bucket, at: int, tat: int, now: int) -> None:
        words = self._words
        if words[at] != bucket.key:
            if words[at + 1] > now:
                at = self._find(bucket, now)  # another bucket of this request has taken the place
                if at < 0:
                    return
            words[at] = bucket.key  # the key first: if we die now, this bucket is one that has expired
        words[at + 1] = tat
        if bucket.slow:
            words[CHANGES_AT] += 1

    def _find(self, bucket: Bucket, now: int) -> int:
        """Where `bucket` stands, or may begin to stand; -1 where its whole window counts for others."""
        words, key = self._words, bucket.key
        free = -1
        for at in range(bucket.home, bucket.home + 2 * WINDOW, 2):
            if words[at] == key:
                return at
            if free < 0 and words[at + 1] <= now:
                free = at
        return free

    def _other(self, bucket: Bucket) -> Bucket:
        if bucket.shared is not None:
            return bucket.shared
        # Even the shared places are all in use. The bucket then counts in the first place of its window, whoever else
        # does: strict, and only for a newcomer.
        return Bucket(bucket.rule, bucket.rate, self._words[bucket.home], bucket.home, bucket.slow, None, bucket.shadow)

    def close(self) -> None:
        """Give this process's share of the memory back."""
        self._words.release()
        self._map.close()
        if self._memory >= 0:
            os.close(self._memory)


def _found(made: mmap) -> None:
    made[8 * KEY_AT : 8 * KEY_AT + 32] = secrets.token_bytes(32)
    made[0:8] = _FORMAT.to_bytes(8, "little")
