"""Signed checkpoints over all heads, at least once in a set time while anything changes.

The key is control's alone: whoever took a worker can write only what is newer than the last checkpoint. What was cut
off after the last checkpoint that somebody elsewhere has seen, nobody can notice.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_platform.journal import place
from mcp_platform.journal.heads import Heads
from mcp_platform.journal.read import entries
from mcp_platform.journal.record import Checkpoint, Head
from mcp_platform.journal.signing import sign
from mcp_platform.journal.writer import JournalWriter


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint in the folder. Its signature is not looked at."""
    mine = [each for each in place.segments(folder) if each.writer == place.CHECKPOINTS]
    for file in reversed(mine):
        last = None
        for entry in entries(folder, file.name):
            record = entry.record
            if isinstance(record, Checkpoint):
                last = record
        if last is not None:
            return last
    return None


class Checkpoints:
    """Control's: makes one after the other. Call `prepare` once before `make`."""

    def __init__(self, folder: Path, platform: str, key: Ed25519PrivateKey, writer: JournalWriter) -> None:
        self._folder = folder
        self._platform = platform
        self._key = key
        self._writer = writer
        self._heads: Heads | None = None
        self._turn = asyncio.Lock()
        self._unsaid: list[Head] = []
        """Heads of a checkpoint of which it is not known whether it reached the disk."""
        self.latest: Checkpoint | None = None
        self.on_made: Callable[[Checkpoint], None] = lambda checkpoint: None
        """Told of each checkpoint once it is on the disk: whoever takes it to another place."""

    async def prepare(self) -> None:
        """Find where an earlier control ended."""
        self.latest = await asyncio.to_thread(last_checkpoint, self._folder)
        self._heads = Heads(self._folder, self.latest.heads if self.latest else ())

    async def make(self) -> Checkpoint | None:
        """Sign what is there now, and return when that is on the disk; None where nothing changed.

        Raises Fault(journal_unavailable | outcome_not_recorded) where the disk refuses: the next one says it all.
        """
        assert self._heads is not None, "prepare comes first"
        async with self._turn:
            heads = await asyncio.to_thread(self._heads.scan)
            if heads is None and not self._unsaid:
                return None
            if heads is not None:
                self._unsaid = heads
            latest = self.latest
            checkpoint = Checkpoint(
                time=time.time_ns(),
                platform=self._platform,
                number=latest.number + 1 if latest else 1,
                previous=latest.signature if latest else b"",
                heads=self._unsaid,
            )
            sign(self._key, checkpoint, self._platform)
            position = self._writer.append(checkpoint)
            self.latest = checkpoint
            await self._writer.synced(position)
            self._unsaid = []
        self.on_made(checkpoint)
        return checkpoint

    def close(self) -> None:
        if self._heads is not None:
            self._heads.close()
