"""What is expected of each scenario, read from expected.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("expected.toml")
UPSTREAMS = ("dual", "legacy", "modern")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one version of the suite."""

    name: str
    package: str
    revision: str | None
    scenarios: dict[str, int]
    """By name, how many checks must succeed at least."""
    asked: dict[str, int]
    """What the upstream must have been asked for, and how often at least."""


@dataclass(frozen=True, slots=True)
class Excuse:
    """Why a scenario does not pass."""

    run: str
    scenario: str
    upstreams: tuple[str, ...]
    outcome: str
    why: str


def load(path: Path = TABLE) -> tuple[dict[str, Run], list[Excuse]]:
    table: dict[str, Any] = tomllib.loads(path.read_text())
    runs = {
        name: Run(name, row["package"], row.get("revision"), row["scenarios"], row["asked"])
        for name, row in table["runs"].items()
    }
    excuses = [Excuse(**{**row, "upstreams": tuple(row["upstreams"])}) for row in table["exceptions"]]
    return runs, excuses


RUNS, EXCUSES = load()


def expected(run: str, upstream: str) -> dict[str, str]:
    """The outcome of every scenario of `run` in front of `upstream`."""
    excused = {each.scenario: each.outcome for each in EXCUSES if each.run == run and upstream in each.upstreams}
    return {name: excused.get(name, "pass") for name in RUNS[run].scenarios}
