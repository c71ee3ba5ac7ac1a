"""How many connections are open, per address and in all, over every worker process: counts in shared memory.

Made by the supervisor before it forks; each worker joins with its slot. The truth is one count per (address, slot),
so that what a dead worker held can be taken away. Addresses stand in a table keyed by a secret, so nobody can choose
addresses that collide. Locked with POSIX record locks, which the kernel lifts when a process dies.
"""

import enum
import fcntl
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from mmap import mmap
from typing import NamedTuple

from mcp_platform.net.peer import counted_as

_KEY_BYTES = 16
_SLOT = struct.Struct("=II")
"""Per worker: 1 while it lives, connections it holds."""


class Entry(enum.Enum):
    """What the gate says to a new connection."""

    OPEN = "open"
    ADDRESS_FULL = "address_full"
    ALL_FULL = "all_full"


class Share(NamedTuple):
    """What this worker holds, what all hold, and how many workers live."""

    mine: int
    total: int
    workers: int


class Gate:
    """Connection counts with two ceilings. `slots` is the largest number of workers there will be."""

    def __init__(self, memory: int, slots: int, max_connections: int, max_per_address: int) -> None:
        """`memory` is an open memfd, or -1 for a gate of this process alone, which needs no lock."""
        self._slots = slots
        self._slot = 0
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._places = 1 << (2 * max_connections - 1).bit_length()
        self._counts = struct.Struct(f"={slots}I")
        self._place_bytes = _KEY_BYTES + self._counts.size
        self._table_at = _SLOT.size * slots
        self._secret = secrets.token_bytes(16)
        self._memory = memory
        size = self._table_at + self._places * self._place_bytes
        if memory >= 0:
            os.ftruncate(memory, size)
        self._map = mmap(memory, size)

    @classmethod
    def make(cls, slots: int, max_connections: int, max_per_address: int) -> "Gate":
        """A gate with nobody inside. Call it before the workers are forked; the memory is theirs too."""
        return cls(os.memfd_create("gate", os.MFD_CLOEXEC), slots, max_connections, max_per_address)

    @classmethod
    def alone(cls, max_connections: int, max_per_address: int) -> "Gate":
        """A gate for one process that has no siblings."""
        return cls(-1, 1, max_connections, max_per_address)

    def join(self, slot: int) -> None:
        """Say that this process is the worker in `slot`. What an earlier one left there is forgotten."""
        assert 0 <= slot < self._slots, "a worker has a slot of this gate"
        self._slot = slot
        self.forget(slot)
        with self._locked():
            _SLOT.pack_into(self._map, slot * _SLOT.size, 1, 0)

    def enter(self, address: str) -> Entry:
        """Count one more connection from `address` ("" for a Unix socket, which has none) unless a ceiling is met."""
        key = counted_as(address)
        with self._locked():
            alive, mine = _SLOT.unpack_from(self._map, self._slot * _SLOT.size)
            if self._total() >= self._max_connections:
                return Entry.ALL_FULL
            if key is not None:
                place = self._find(key)
                counts = list(self._counts.unpack_from(self._map, place + _KEY_BYTES))
                if sum(counts) >= self._max_per_address:
                    return Entry.ADDRESS_FULL
                counts[self._slot] += 1
                self._write(place, key, counts)
            _SLOT.pack_into(self._map, self._slot * _SLOT.size, alive, mine + 1)
        return Entry.OPEN

    def leave(self, address: str) -> None:
        """Take back one `enter` of this worker."""
        key = counted_as(address)
        with self._locked():
            alive, mine = _SLOT.unpack_from(self._map, self._slot * _SLOT.size)
            _SLOT.pack_into(self._map, self._slot * _SLOT.size, alive, max(0, mine - 1))
            if key is None:
                return
            place = self._find(key)
            counts = list(self._counts.unpack_from(self._map, place + _KEY_BYTES))
            counts[self._slot] = max(0, counts[self._slot] - 1)
            self._write(place, key, counts)
            if not any(counts):
                self._remove(place)

    def share(self) -> Share:
        """How the open connections are spread. Read without the lock: it steers, it does not limit."""
        rows = [_SLOT.unpack_from(self._map, slot * _SLOT.size) for slot in range(self._slots)]
        return Share(rows[self._slot][1], sum(held for _, held in rows), max(1, sum(alive for alive, _ in rows)))

    def held(self, address: str) -> int:
        """Open connections from `address` over all workers."""
        key = counted_as(address)
        if key is None:
            return 0
        with self._locked():
            return sum(self._counts.unpack_from(self._map, self._find(key) + _KEY_BYTES))

    def forget(self, slot: int) -> None:
        """The worker in `slot` is dead: nothing it held is open any more.

        The table is built anew, because the worker may have died in the middle of a change to it.
        """
        with self._locked():
            _SLOT.pack_into(self._map, slot * _SLOT.size, 0, 0)
            kept: dict[bytes, list[int]] = {}
            nobody, empty = bytes(_KEY_BYTES), bytes(self._place_bytes)
            for place in self._all_places():
                key = self._map[place : place + _KEY_BYTES]
                if key == nobody:
                    continue
                counts = list(self._counts.unpack_from(self._map, place + _KEY_BYTES))
                counts[slot] = 0
                if any(counts):
                    kept[key] = [max(pair) for pair in zip(counts, kept.get(key, counts), strict=True)]
                self._map[place : place + self._place_bytes] = empty
            for key, counts in kept.items():
                self._write(self._find(key), key, counts)

    def close(self) -> None:
        """Give this process's share of the memory back."""
        self._map.close()
        if self._memory >= 0:
            os.close(self._memory)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._memory < 0:
            yield
            return
        fcntl.lockf(self._memory, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._memory, fcntl.LOCK_UN)

    def _total(self) -> int:
        return sum(_SLOT.unpack_from(self._map, slot * _SLOT.size)[1] for slot in range(self._slots))

    def _all_places(self) -> range:
        return range(self._table_at, self._table_at + self._places * self._place_bytes, self._place_bytes)

    def _home(self, key: bytes) -> int:
        """The number of the place where `key` stands if nothing else does."""
        return int.from_bytes(blake2b(key, key=self._secret, digest_size=8).digest(), "big") & (self._places - 1)

    def _find(self, key: bytes) -> int:
        """Where `key` stands, or the empty place where it would. The table is never more than half full."""
        number = self._home(key)
        while True:
            place = self._table_at + number * self._place_bytes
            found = self._map[place : place + _KEY_BYTES]
            if found == key or not any(found):
                return place
            number = (number + 1) & (self._places - 1)

    def _write(self, place: int, key: bytes, counts: list[int]) -> None:
        self._map[place : place + self._place_bytes] = key + self._counts.pack(*counts)

    def _remove(self, place: int) -> None:
        """Empty `place` and move back what stood behind it only because it was taken (linear probing, Knuth 6.4 R)."""
        empty = bytes(self._place_bytes)
        hole = (place - self._table_at) // self._place_bytes
        number = hole
        while True:
            number = (number + 1) & (self._places - 1)
            at = self._table_at + number * self._place_bytes
            row = self._map[at : at + self._place_bytes]
            if not any(row[:_KEY_BYTES]):
                break
            home = self._home(row[:_KEY_BYTES])
            if ((number - home) & (self._places - 1)) >= ((number - hole) & (self._places - 1)):
                hole_at = self._table_at + hole * self._place_bytes
                self._map[hole_at : hole_at + self._place_bytes] = row
                hole = number
        hole_at = self._table_at + hole * self._place_bytes
        self._map[hole_at : hole_at + self._place_bytes] = empty
