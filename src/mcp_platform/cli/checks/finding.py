"""What a check found, and what all checks are given."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mcp_platform.base.config.load import Loaded
from mcp_platform.base.folder import DataFolder


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


MARKS = {Level.OK: "✓", Level.WARNING: "!", Level.FAULT: "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    """Stable, for programs."""
    level: Level
    says: str
    do: str | None = None
    """What to do about it; always there for a fault."""

    def __post_init__(self) -> None:
        assert self.level is not Level.FAULT or self.do, "a fault says what to do"


@dataclass(frozen=True, slots=True)
class Patient:
    """The installation that is looked at."""

    data: DataFolder
    loaded: Loaded | None
    """None where the settings are not right."""
    running: bool
    """Whether somebody holds the data folder's lock."""
    status: dict[str, Any] | None
    """Control's own answer; None where it does not answer."""
    processes: dict[str, Any] = field(default_factory=dict)
    """The supervisor's DATA/run/processes.json; empty where there is none."""


def ok(check: str, says: str) -> Finding:
    return Finding(check, Level.OK, says)


def warning(check: str, says: str, do: str | None = None) -> Finding:
    return Finding(check, Level.WARNING, says, do)


def fault(check: str, says: str, do: str) -> Finding:
    return Finding(check, Level.FAULT, says, do)
