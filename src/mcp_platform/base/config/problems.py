"""What is wrong with a configuration: each problem with its place, all of them in one Fault."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from mcp_platform.base import nearest as names
from mcp_platform.base.errors import CONFIGURATION, Fault


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. No field ever holds a value, only names, places and kinds."""

    where: str
    """`FILE:LINE`, `FILE:LINE:COLUMN`, `environment NAME`, `secret file PATH` or `flag --name`."""
    problem: str
    setting: str | None = None
    expected: str | None = None
    arrived: str | None = None
    nearest: str | None = None
    """The known name closest to one that is not known."""
    between: tuple[str, ...] = ()
    """The settings that do not go together, where it is not one alone that is wrong."""

    @property
    def text(self) -> str:
        parts = [f"{self.where}: {self.problem}"]
        if self.expected is not None:
            parts.append(f"; expected {self.expected}")
        if self.arrived is not None:
            parts.append(f", got {self.arrived}")
        if self.nearest is not None:
            parts.append(f"; did you mean `{self.nearest}`?")
        return "".join(parts)


def fault(problems: Sequence[Problem]) -> Fault:
    """All problems as one Fault; its text has a line for each."""
    assert problems, "a fault has a cause"
    return Fault(
        CONFIGURATION,
        detail="\n".join(problem.text for problem in problems),
        data={"problems": [{k: v for k, v in asdict(p).items() if v} for p in problems]},
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, or whose last part is most like its last; None where none is."""
    every = list(known)
    by_last = {known_name.rpartition(".")[2]: known_name for known_name in reversed(every)}
    last = names.nearest(name.rpartition(".")[2], by_last, 0.75)
    return names.nearest(name, every) or (None if last is None else by_last[last])
