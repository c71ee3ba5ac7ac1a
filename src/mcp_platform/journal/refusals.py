"""Refusals in the journal: one by one while they are few, summed up for each address when they are many.

Whoever is refused decides how many refusals there are; so neither the table nor the journal grows with them.
"""

import contextlib
from dataclasses import dataclass, field
from typing import Final

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.journal.options import OUTCOME_BYTES
from mcp_platform.journal.record import Refusal, Refusals
from mcp_platform.journal.writer import JournalWriter

WINDOW_S: Final = 10.0
"""Seconds over which refusals are counted, and after which sums are written."""
ONE_BY_ONE: Final = 20
"""Refusals of one address in a window that are written one by one: 2 a second, a person trying, not a flood."""
ONE_BY_ONE_IN_ALL: Final = 2000
"""The same over all addresses: 200 a second, about 40 KiB of journal a second."""
MAX_ADDRESSES: Final = 4096
"""Addresses with a row of their own, about 0.5 KiB each; all others share the row `*`."""
OTHERS: Final = "*"


@dataclass(slots=True)
class _Row:
    one_by_one: int = 0
    since: int = 0
    counts: dict[str, int] = field(default_factory=dict)


class RefusalTable:
    """The refusals of one process."""

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._rows: dict[str, _Row] = {}
        self._one_by_one = 0
        self._until = clock.monotonic() + WINDOW_S

    def note(self, refusal: Refusal, now_ns: int) -> None:
        """Record it, by itself or in a sum. Never raises and never waits."""
        if clock.monotonic() >= self._until:
            self.sum_up()
        row = self._rows.get(refusal.address)
        if row is None:
            name = refusal.address if len(self._rows) < MAX_ADDRESSES else OTHERS
            row = self._rows.setdefault(name, _Row())
        alone = row.one_by_one < ONE_BY_ONE and self._one_by_one < ONE_BY_ONE_IN_ALL
        if alone and self._written(refusal):
            row.one_by_one += 1
            self._one_by_one += 1
            return
        if not row.counts:
            row.since = now_ns
        row.counts[refusal.error] = row.counts.get(refusal.error, 0) + 1

    def sum_up(self, *, last: bool = False) -> None:
        """Write the sums and begin a new window. What finds no room in the journal is kept for the next; in the `last`
        one it becomes one sum, which there is always room for."""
        self._until = clock.monotonic() + WINDOW_S
        self._one_by_one = 0
        rows, self._rows = self._rows, {}
        for address, row in rows.items():
            if row.counts and not self._written(Refusals(address=address, since=row.since, counts=row.counts)):
                self._rows[address] = row
                row.one_by_one = 0
        if last and self._rows:
            with contextlib.suppress(Fault):
                self._writer.append(self._rest())

    def _rest(self) -> Refusals:
        counts: dict[str, int] = {}
        for row in self._rows.values():
            for error, count in row.counts.items():
                counts[error] = counts.get(error, 0) + count
        return Refusals(address=OTHERS, since=min(row.since for row in self._rows.values()), counts=counts)

    @property
    def due_in_s(self) -> float:
        return max(0.0, self._until - clock.monotonic())

    def _written(self, record: Refusal | Refusals) -> bool:
        try:
            self._writer.admit(2 * OUTCOME_BYTES)
            self._writer.append(record)
        except Fault:
            return False
        return True
