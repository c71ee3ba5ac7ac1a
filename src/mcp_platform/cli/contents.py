"""`audit search --content`: part after part of a search that opens calls one by one, as one answer."""

from collections import Counter
from typing import Any, Final

from mcp_platform.cli.session import Session
from mcp_platform.cli.table import render

PART_CALLS: Final = 2000
PART_ROWS: Final = 100
"""What one part may look into, and find."""
WHY: Final = {
    "hashed": "only hashed",
    "none": "not recorded",
    "erased": "erased with the subject's key",
    "damaged": "not readable; `audit verify` says more",
}
HEADS: Final = ("time", "actor", "on", "outcome", "where", "text")


def search(session: Session, asked: dict[str, Any], limit: int, examine: int, cursor: str | None) -> dict[str, Any]:
    """Until `limit` calls are found, `examine` are looked into, or there are no more."""
    rows: list[dict[str, Any]] = []
    unread: Counter[str] = Counter()
    examined = 0
    while True:
        part = {"limit": min(PART_ROWS, limit - len(rows)), "examine": min(PART_CALLS, examine - examined)}
        answer = session.ask("content.search", **asked, **part, cursor=cursor)
        rows += answer["rows"]
        unread.update(answer["unread"])
        examined += answer["examined"]
        cursor = answer["next"]
        if cursor is None or len(rows) >= limit or examined >= examine:
            return {**answer, "rows": rows, "examined": examined, "examines_at_most": examine, "unread": dict(unread)}
        session.out.progress(f"{examined} calls looked into, {len(rows)} found")


def table(rows: list[dict[str, Any]]) -> str:
    return render(HEADS, [_cells(row, found) for row in rows for found in row["found"]])


def _cells(row: dict[str, Any], found: dict[str, str]) -> list[object]:
    time = f"{row['time'][:23]}Z".replace("T", " ")
    return [time, row["actor"], f"{row['server']}/{row['tool']}", row["outcome"], found["where"], found["text"]]


def summary(answer: dict[str, Any]) -> str:
    """How far the search came, and what it could not read."""
    unread = [f"{count} {WHY[why]}" for why, count in answer["unread"].items() if count]
    left_out = f" Arguments and results left out: {', '.join(unread)}." if unread else ""
    return f"Looked into {answer['examined']} calls (at most {answer['examines_at_most']}).{left_out}"
