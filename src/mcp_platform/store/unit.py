"""One transaction. Whatever is changed is changed inside a Unit, whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from mcp_platform.base.errors import Fault
from mcp_platform.store.errors import STORE_BUSY, STORE_FAILED


@dataclass(frozen=True, slots=True)
class Unit:
    """An open transaction and the time at which it is."""

    connection: Connection
    now: float
    """Epoch seconds; the same for everything in this transaction."""


class Store:
    """A database that gives out one transaction after another."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def unit(self, now: float) -> Iterator[Unit]:
        """Commits at the end of the block; rolls back when it raises. Raises Fault(store_busy | store_failed)."""
        try:
            with self.engine.begin() as connection:
                yield Unit(connection, now)
        except OperationalError as error:
            busy = "locked" in str(error.orig) or "lock timeout" in str(error.orig)
            raise Fault(STORE_BUSY if busy else STORE_FAILED) from error
        except DBAPIError as error:
            raise Fault(STORE_FAILED) from error

    def close(self) -> None:
        self.engine.dispose()
