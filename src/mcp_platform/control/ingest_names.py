"""Names of the record and their numbers: each different name is kept once. Lives in the thread of ingestion."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, func, insert, select

from mcp_platform.features.audit.index import NAMES
from mcp_platform.features.audit.model import MAX_NAME_CHARACTERS, NAMED

MAX_KEPT: Final = 200_000
"""Names kept in memory with their numbers, about 200 bytes each; beyond it all are looked up anew."""
CHUNK: Final = 500
"""Values in one IN (…): SQLite's oldest limit is 999."""


class Names:
    """Numbers of names. Those given out in a transaction that fails are forgotten by `load`."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, int]] = {name: {} for name in NAMED}
        """Field → name → number. An empty name has none."""
        self._next = 1

    def load(self, connection: Connection) -> None:
        self.forget()
        self._next = 1 + (connection.execute(select(func.max(NAMES.c.id))).scalar() or 0)

    def forget(self) -> None:
        for known in self.of.values():
            known.clear()

    def number(self, connection: Connection, wanted: dict[str, set[str]]) -> None:
        """See to it that each of these has a number."""
        if sum(len(each) for each in self.of.values()) > MAX_KEPT:
            self.forget()
        for field, values in wanted.items():
            missing = values - self.of[field].keys() - {""}
            if missing:
                self._find(connection, field, missing)

    def _find(self, connection: Connection, field: str, missing: set[str]) -> None:
        short = {value: value[:MAX_NAME_CHARACTERS] for value in missing}
        sought = sorted(set(short.values()))
        found: dict[str, int] = {}
        for part in _chunks(sought):
            here = (NAMES.c.field == field) & NAMES.c.value.in_(part)
            found.update((row[0], row[1]) for row in connection.execute(select(NAMES.c.value, NAMES.c.id).where(here)))
        new = [{"field": field, "value": value} for value in sought if value not in found]
        if new:
            for number, each in enumerate(new, start=self._next):
                found[each["value"]] = number
            connection.execute(insert(NAMES), [{**each, "id": found[each["value"]]} for each in new])
            self._next += len(new)
        self.of[field].update((value, found[name]) for value, name in short.items())


def _chunks(values: list[str]) -> Iterable[list[str]]:
    return (values[at : at + CHUNK] for at in range(0, len(values), CHUNK))
