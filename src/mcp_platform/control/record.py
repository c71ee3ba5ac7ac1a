"""Control's part of the journal: what it does itself, and what it does for every writer.

Its own: starts, stops, configurations, changes, reads, refusals. For all: checkpoints, recovery, retention, done by one
control at a time, for two run while one hands over to the next.
"""

import asyncio
import contextlib
import dataclasses
import fcntl
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import mcp_platform
from mcp_platform.base import clock
from mcp_platform.base.config import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder, make_private
from mcp_platform.base.log import Log
from mcp_platform.control.entry import SYSTEM
from mcp_platform.features.audit.actions import Event
from mcp_platform.features.vault.journal_key import open_journal_key
from mcp_platform.journal import place
from mcp_platform.journal.checkpoint import Checkpoints
from mcp_platform.journal.options import OUTCOME_BYTES
from mcp_platform.journal.position import Position
from mcp_platform.journal.record import Checkpoint, Control, Refusal
from mcp_platform.journal.recover import Recovery
from mcp_platform.journal.refusals import RefusalTable
from mcp_platform.journal.retention import Keep, Retention
from mcp_platform.journal.start import options_of
from mcp_platform.journal.writer import JournalWriter
from mcp_platform.store.tag import Tag

_log = Log("control.record")
AUDITED_AT_THE_DOOR = frozenset(
    {"admin_token_expired", "admin_token_flood", "admin_token_invalid", "admin_token_missing"}
)
"""Refusals that control/rest/tries.py audits by itself."""
RECORD_BYTES = 16 * 1024
"""Bytes reckoned for one record of control: its parameters have a ceiling of 8192 characters."""
HAND_OVER_S = 0.05
"""Seconds between two looks whether the control before has let go."""
TEND_S = 10.0
"""Seconds between two looks at what is to be compressed or removed."""
RECOVER_S = 1.0
"""Seconds between two looks for segments whose writer died."""


class ControlRecord:
    """Control's journal. `start` before anything else of it."""

    def __init__(self, data: DataFolder, settings: Settings, platform: str, key: Ed25519PrivateKey) -> None:
        self._data = data
        self._settings = settings
        self._platform = platform
        self._key = key
        # Whatever calls are promised: what control does is on the disk before it is answered.
        self._options = dataclasses.replace(options_of(settings), durability="strict")
        self._writer = JournalWriter(data.journal, platform, place.CONTROL, self._options)
        self._tending: asyncio.Task[None] | None = None
        self._checkpoints: Checkpoints | None = None
        self._signer: JournalWriter | None = None
        self._lock = -1
        self._refusals = RefusalTable(self._writer)
        self.on_checkpoint: Callable[[Checkpoint], None] = lambda checkpoint: None
        """Told of each checkpoint that is on the disk."""
        self.retention = Retention(
            data.journal,
            platform,
            key,
            self._writer,
            Keep(settings.journal.retention_bytes, settings.journal.retention_days),
        )

    @classmethod
    async def open(cls, data: DataFolder, settings: Settings, platform: str) -> "ControlRecord":
        """Begin control's segment. Raises Fault where the journal's key cannot be opened."""
        make_private(data.journal)
        record = cls(data, settings, platform, open_journal_key(data, settings.vault.kek_file))
        record._writer.start()
        return record

    async def started(self) -> None:
        """Say that control started and with which configuration; then tend the journal until `close`."""
        changed = {name: value for name, value in _flat(self._settings).items() if value != _flat(Settings())[name]}
        params = msgspec.json.encode({"software": mcp_platform.__version__, "differs": changed}).decode()
        with contextlib.suppress(Fault):  # the disk refuses: so is every change, until it takes records again
            self._append("start", Event(SYSTEM.id, Tag.PLATFORM_CONTROL_START, "ok"))
            self._append("configuration", Event(SYSTEM.id, Tag.PLATFORM_CONTROL_START, "ok", params=params))
        self._tending = asyncio.get_running_loop().create_task(self._tend(), name="journal")

    def refused(self, fault: Fault, address: str) -> None:
        """Record what the console's listener refused. Never raises, never waits."""
        code = fault.kind.code
        if code not in AUDITED_AT_THE_DOOR:
            refusal = Refusal(address=address, method="console", decision="deny", rule=code, error=code)
            self._refusals.note(refusal, time.time_ns())

    async def control(self, kind: str, event: Event, *, trace: str, revision: int = 0) -> None:
        """Record something, and return when it is on the disk. Raises Fault: then it does not happen."""
        await self._writer.admitted(RECORD_BYTES + OUTCOME_BYTES)
        await self._writer.synced(self._append(kind, event, trace, revision))

    def _append(self, kind: str, event: Event, trace: str = "", revision: int = 0) -> Position:
        record = Control(
            trace=trace,
            event=kind,
            actor=event.actor,
            agent=event.agent or "",
            address=event.address or "",
            tag=event.tag,
            target=event.target or "",
            outcome=event.outcome,
            error=event.error or "",
            params=event.params,
            revision=revision,
        )
        return self._writer.append(record)

    # --- for every writer -------------------------------------------------------------------------------------------

    async def _tend(self) -> None:
        """Checkpoints, recovery and retention, once the control before has let go of them."""
        await self._take_over()
        folder, settings = self._data.journal, self._settings.journal
        self._signer = JournalWriter(folder, self._platform, place.CHECKPOINTS, self._options)
        self._signer.start()
        self._checkpoints = checkpoints = Checkpoints(folder, self._platform, self._key, self._signer)
        checkpoints.on_made = lambda checkpoint: self.on_checkpoint(checkpoint)
        await checkpoints.prepare()
        recovery = Recovery(folder, self._key, self._writer)
        recover_at = tend_at = 0.0
        while True:
            now = clock.monotonic()
            if now >= recover_at:
                await self._try("recovery", recovery.run())
                recover_at = now + RECOVER_S
            await self._try("checkpoint", checkpoints.make())
            if now >= tend_at:
                await self._try("retention", self.retention.run())
                self._refusals.sum_up()
                tend_at = now + TEND_S
            await asyncio.sleep(max(0.0, now + settings.checkpoint_s - clock.monotonic()))

    async def _try(self, what: str, work: Coroutine[Any, Any, object]) -> None:
        """One of the things that are done again and again: what fails is told, and done the next time."""
        try:
            await work
        except (Fault, OSError) as error:
            _log.error("journal_untended", exc=error, work=what)
        except Exception as error:  # the root of the journal's care: it must go on, whatever one turn of it met
            _log.error("journal_untended", exc=error, work=what)

    async def _take_over(self) -> None:
        self._lock = os.open(self._data.journal / "tended", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                await asyncio.sleep(HAND_OVER_S)

    async def close(self) -> None:
        """Say that control stops, seal, and sign a last checkpoint over it all."""
        if self._tending is not None:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        self._refusals.sum_up()
        with contextlib.suppress(Fault):
            self._append("stop", Event(SYSTEM.id, Tag.PLATFORM_CONTROL_STOP, "ok"))
        await self._writer.close()
        if self._signer is not None and self._checkpoints is not None:
            await self._try("checkpoint", self._checkpoints.make())
            await self._signer.close()
            self._checkpoints.close()
        if self._lock >= 0:
            os.close(self._lock)


def _flat(settings: Settings) -> dict[str, object]:
    """`topic.name` → value. No setting is a secret."""
    return {
        f"{topic}.{name}": value
        for topic, values in dataclasses.asdict(settings).items()
        for name, value in values.items()
    }
