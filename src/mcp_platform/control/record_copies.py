"""What control makes of the record beside the journal: an index to search, and checkpoints in other places."""

import asyncio
import contextlib

from mcp_platform.base.config import Settings
from mcp_platform.base.folder import DataFolder
from mcp_platform.control.anchor.schedule import Anchors
from mcp_platform.control.ingest import Ingestion
from mcp_platform.control.record import ControlRecord
from mcp_platform.control.record_search import RecordSearch


class RecordCopies:
    """Control's. `start` once control's own journal has begun; `close` after that has ended."""

    def __init__(self, data: DataFolder, settings: Settings, worker_secret: bytes) -> None:
        self.search = RecordSearch(data, worker_secret)
        self.anchors = Anchors(settings, data.journal)
        self._ingestion = Ingestion(data.journal, data.record_index, settings.journal.max_lag_s)
        self._ingestion.on_anew = self.search.reopen
        self._anchoring: asyncio.Task[None] | None = None

    def start(self, record: ControlRecord) -> None:
        record.retention.may_go = self._ingestion.has
        record.on_checkpoint = self.anchors.taken
        self._ingestion.start()
        self._anchoring = asyncio.get_running_loop().create_task(self.anchors.run(), name="anchors")

    def status(self) -> dict[str, object]:
        """For `status` and `doctor`."""
        return {"record": self._ingestion.status(), "anchors": self.anchors.status()}

    async def close(self) -> None:
        if self._anchoring is not None:
            self._anchoring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._anchoring
        await self.anchors.last()
        await self._ingestion.close()
        await self.search.close()
