"""The commands of a page that stand under a mark, with what the page says that they show.

Marks are HTML comments on the line before a fence: `run`, `run: background`, `shows`, `not run: REASON`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
RUNNABLE = {"run", "run: background"}


@dataclass(frozen=True, slots=True)
class Step:
    """One block of shell and, where the page shows some of its output, that."""

    text: str
    background: bool
    shows: str | None


def steps_of(page: Path) -> list[Step]:
    """What the page tells its reader to run, in order."""
    found: list[Step] = []
    for fence in FENCE.finditer(page.read_text()):
        mark = fence["mark"] or ""
        if mark in RUNNABLE:
            found.append(Step(fence["text"], mark == "run: background", None))
        elif mark == "shows":
            assert found, f"{page.name} shows something before it runs anything"
            found[-1] = Step(found[-1].text, found[-1].background, fence["text"].strip())
    return found


def unmarked(text: str) -> list[str]:
    """Blocks of shell that say neither that they are run by a test nor why they are not."""
    return [
        fence["text"]
        for fence in FENCE.finditer(text)
        if fence["language"] == "sh"
        and (fence["mark"] or "") not in RUNNABLE
        and "not run: " not in (fence["mark"] or "")
    ]
