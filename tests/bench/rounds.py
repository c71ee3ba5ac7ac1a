"""Candidates measured in turns within one run, so that what disturbs the machine disturbs all of them."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import closed_loop
from tests.bench.candidate import Candidate


@dataclass(slots=True)
class Series:
    """What the rounds of one candidate under one load came to; the warm-up is not among them."""

    cpu_us: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    requests: int = 0
    refused: int = 0
    broken: int = 0

    @property
    def median_us(self) -> float:
        return statistics.median(self.cpu_us)

    def as_data(self) -> dict[str, object]:
        return {
            "cpu_us": round(self.median_us, 1),
            "cpu_us_lowest": round(min(self.cpu_us), 1),
            "cpu_us_highest": round(max(self.cpu_us), 1),
            "requests_a_second": round(statistics.median(self.rate)),
            "requests": self.requests,
            "refused": self.refused,
            "broken": self.broken,
        }


def in_turns(
    candidates: Sequence[Candidate],
    mixes: Mapping[str, Path],
    connections: int,
    seconds: int,
    rounds: int,
) -> dict[str, Series]:
    """`rounds` of `seconds` for each candidate after one that only warms up. `mixes`: by candidate's name."""
    found = {candidate.name: Series() for candidate in candidates}
    for number in range(rounds + 1):
        for candidate in candidates:
            if candidate.name not in found:
                continue
            one = closed_loop.run(candidate, mixes[candidate.name], connections, seconds if number else 1)
            if one is None:
                print(f"bench: SKIPPED {candidate.name}: it answered nothing", file=sys.stderr)
                del found[candidate.name]
            if not number or one is None:
                continue
            series = found[candidate.name]
            series.cpu_us.append(one.cpu_us)
            series.rate.append(one.rate)
            series.requests += one.requests
            series.refused += one.refused
            series.broken += one.broken
    return found


def ratio(found: Mapping[str, Series], ours: str, theirs: str) -> float | None:
    """The median of the ratios of neighbouring rounds: two numbers of one moment."""
    if ours not in found or theirs not in found:
        return None
    pairs = zip(found[ours].cpu_us, found[theirs].cpu_us, strict=True)
    return round(statistics.median(one / other for one, other in pairs), 2)
