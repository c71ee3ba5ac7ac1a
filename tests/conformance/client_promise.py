"""What is expected of each scenario for clients, read from expected_client.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("expected_client.toml").read_text())
PACKAGE: str = _TABLE["package"]
SCENARIOS: dict[str, dict[str, int]] = _TABLE["scenarios"]
"""By revision and name, how many checks succeed."""


@dataclass(frozen=True, slots=True)
class Excuse:
    """Why a scenario does not pass whole."""

    revision: str
    scenario: str
    outcome: str
    left_out: int
    """Checks that the suite could not make."""
    why: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Scenarios (a pattern of names) that are not the platform's."""

    scenarios: str
    why: str


EXCUSES = [Excuse(**row) for row in _TABLE["exceptions"]]
NOT_APPLICABLE = [Elsewhere(**row) for row in _TABLE["not_applicable"]]
