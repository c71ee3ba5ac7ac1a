"""An action with nothing running: the same execute, under the folder's lock, for the snapshot of the next start."""

import asyncio
import os
from collections.abc import Callable

from mcp_platform.base.config import Settings
from mcp_platform.base.config.load import load
from mcp_platform.base.errors import Fault, define
from mcp_platform.base.folder import DataFolder, make_private
from mcp_platform.base.lock import FolderLock
from mcp_platform.control.anchor.schedule import Anchors
from mcp_platform.control.broker import Broker
from mcp_platform.control.entry import local_actor
from mcp_platform.control.execute import Executor
from mcp_platform.control.ingest import MAX_RECORDS, Ingestion
from mcp_platform.control.probe import Probe
from mcp_platform.control.publish import Draft, Publisher
from mcp_platform.control.record import ControlRecord
from mcp_platform.control.record_search import RecordSearch
from mcp_platform.control.registry import ACTIONS
from mcp_platform.features.audit.content import Examined
from mcp_platform.features.audit.model import Row
from mcp_platform.features.audit.query import Query
from mcp_platform.features.audit.reading import Asked
from mcp_platform.features.audit.search import Span
from mcp_platform.features.upstreams.check import Found, ServerSpec
from mcp_platform.features.vault.keys import KeyRing
from mcp_platform.net.transports.host_link import HostConnection
from mcp_platform.store import migrate
from mcp_platform.store.action import Touched
from mcp_platform.store.engine import open_sqlite
from mcp_platform.store.unit import Store, Unit

TELL_EVERY = 50_000
"""Records between two words about them."""

PLATFORM_STOPPED = define(
    "platform_stopped",
    http=503,
    jsonrpc=-31463,
    text="A server that is a command is started by the platform itself; run `mcp-platform serve` and try again.",
    whose="caller",
)


def run(data: DataFolder, action: str, params: dict[str, object], progress: Callable[[str], None]) -> dict[str, object]:
    """The answer to one action. Raises Fault, data_folder_in_use where a platform runs after all."""
    lock = FolderLock.take(data.lock)
    try:
        return asyncio.run(_run(data, action, params, progress))
    finally:
        lock.release()


async def _run(
    data: DataFolder, action: str, params: dict[str, object], progress: Callable[[str], None]
) -> dict[str, object]:
    settings = load(data.config_file).settings
    ring = KeyRing.open(data, settings.vault.kek_file)
    store = Store(open_sqlite(data.database))
    host = HostConnection(data.run / "host.sock")
    index = _CaughtUp(data, settings, ring.worker_secret, progress)

    def tell(text: str, _done: int, _total: int) -> None:
        progress(text)

    try:
        migrate.upgrade(store.engine)
        make_private(data.snapshot)
        publisher = _NextStart(Publisher(data, ring.platform_id, ring.snapshot_private, settings))
        reach = _WebOnly(Probe(settings, Broker(_nobody_asks), host, index, Anchors(settings, data.journal)))
        executor = Executor(store, ring, settings, publisher, reach, ACTIONS)
        executor.record = record = await ControlRecord.open(data, settings, ring.platform_id)
        record.retention.may_go = lambda name: False  # what goes must be in the index first; nobody ingests here
        await record.started()
        try:
            return await executor.execute(action, params, local_actor(os.getuid()), tell)
        finally:
            await executor.close()
            await record.close()
    finally:
        await index.close()
        await host.close()
        store.close()


async def _nobody_asks(upstream: str, version: int) -> None:
    """There is no broker to be asked when nothing runs."""


class _NextStart:
    """Publishes to the shelf alone: the next start finds it there."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def build(self, unit: Unit, touched: Touched, revision_number: int) -> Draft:
        if self._publisher.revision or self._publisher.resume(revision_number - 1):
            return self._publisher.build(unit, touched, revision_number)
        return self._publisher.full(unit, revision_number)

    async def publish(self, draft: Draft) -> dict[str, object]:
        self._publisher.put(draft)
        return {"revision": draft.manifest.revision, "workers": 0, "taken": 0, "ms": 0.0}


class _CaughtUp(RecordSearch):
    """The record as it was left: with nobody who ingests, what is not yet in the index is taken in first."""

    def __init__(
        self, data: DataFolder, settings: Settings, worker_secret: bytes, progress: Callable[[str], None]
    ) -> None:
        super().__init__(data, worker_secret)
        self._ingestion = Ingestion(data.journal, data.record_index, settings.journal.max_lag_s)
        self._progress = progress

    async def search(self, query: Query, span: Span, limit: int, actors: dict[str, tuple[str, ...]]) -> list[Row]:
        await asyncio.to_thread(self._ingestion.catch_up, self._told)
        return await super().search(query, span, limit, actors)

    async def examine(self, asked: Asked, text: str, limit: int) -> Examined:
        await asyncio.to_thread(self._ingestion.catch_up, self._told)
        return await super().examine(asked, text, limit)

    def _told(self, records: int) -> None:
        if records % TELL_EVERY < MAX_RECORDS:
            self._progress(f"Taking in the journal: {records} records")


class _WebOnly:
    """Servers with a URL can be looked at from here; one that is a command belongs to the upstream-host."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.record = probe.record
        self.anchors = probe.anchors

    async def probe(self, spec: ServerSpec) -> Found:
        if spec.transport == "stdio":
            raise Fault(PLATFORM_STOPPED)
        return await self._probe.probe(spec)

    async def fetch_keys(self, url: str, authority: str | None) -> bytes:
        return await self._probe.fetch_keys(url, authority)
