"""A control without its process: a real folder, real keys, a real database, a real publisher, and servers in memory."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcp_platform.base import clock
from mcp_platform.base.config.settings import Settings, Vault
from mcp_platform.base.folder import DataFolder, make_private
from mcp_platform.control.entry import local_actor
from mcp_platform.control.execute import Executor
from mcp_platform.control.first_run import FirstRun, initialise
from mcp_platform.control.publish import Draft, Publisher
from mcp_platform.control.registry import ACTIONS
from mcp_platform.control.start import publish_at_start
from mcp_platform.features.audit.content import Examined
from mcp_platform.features.audit.model import Row
from mcp_platform.features.upstreams.check import Found, Reach, ServerSpec
from mcp_platform.features.vault.keys import KeyRing
from mcp_platform.store import migrate
from mcp_platform.store.action import Touched
from mcp_platform.store.engine import open_sqlite
from mcp_platform.store.unit import Store, Unit

ECHO = b'{"name":"echo","description":"Says it again.","inputSchema":{"type":"object"},"x":1.50}'


class MemoryReach:
    """Servers that answer from memory, by name."""

    def __init__(self) -> None:
        self.tools: dict[str, tuple[bytes, ...]] = {}
        self.asked: list[ServerSpec] = []
        self.key_set = b'{"keys":[]}'
        self.fails: Exception | None = None
        self.began = asyncio.Event()
        self.waits: asyncio.Event | None = None

    async def probe(self, spec: ServerSpec) -> Found:
        self.asked.append(spec)
        self.began.set()
        if self.waits is not None:
            await self.waits.wait()
        if self.fails is not None:
            raise self.fails
        return Found("legacy", self.tools.get(spec.name, (ECHO,)), {"name": "memory"})

    async def fetch_keys(self, url: str, authority: str | None) -> bytes:
        return self.key_set

    @property
    def record(self) -> "MemoryReach":
        return self

    async def search(self, *_asked: object) -> list[Row]:
        """Nothing was recorded here."""
        return []

    def erase(self, _subject: str) -> bool:
        """There is nothing to erase."""
        return False

    async def examine(self, *_asked: object) -> Examined:
        """Nor can anything be looked into."""
        return Examined()


class Watched:
    """The real publisher, with what went through it."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.touched: list[Touched] = []
        self.revisions: list[int] = []
        self.refuses: Exception | None = None
        self.began = asyncio.Event()
        self.waits: asyncio.Event | None = None

    def build(self, unit: Unit, touched: Touched, revision: int, /) -> Draft:
        if self.refuses is not None:
            raise self.refuses
        self.touched.append(touched)
        return self.publisher.build(unit, touched, revision)

    async def publish(self, draft: Draft) -> dict[str, object]:
        self.revisions.append(draft.manifest.revision)
        self.began.set()
        if self.waits is not None:
            await self.waits.wait()
        return await self.publisher.publish(draft)


@dataclass
class World:
    """One control."""

    data: DataFolder
    settings: Settings
    first: FirstRun
    ring: KeyRing
    store: Store
    watched: Watched
    executor: Executor
    reach: MemoryReach = field(default_factory=MemoryReach)

    async def ask(self, action: str, **params: object) -> dict[str, object]:
        return await self.executor.execute(action, params, local_actor(os.getuid()))


def settings_in(folder: Path) -> Settings:
    return Settings(vault=Vault(kek_file=str(folder / "test.kek")))


@asynccontextmanager
async def world(folder: Path, outside: Reach | None = None) -> AsyncIterator[World]:
    """`outside` stands for the servers in memory."""
    data, settings = DataFolder(folder / "data"), settings_in(folder)
    first = initialise(data, settings, clock.now())
    ring = KeyRing.open(data, settings.vault.kek_file)
    store = Store(open_sqlite(data.database))
    migrate.check(store.engine)
    make_private(data.snapshot)
    reach = MemoryReach()
    watched = Watched(Publisher(data, ring.platform_id, ring.snapshot_private, settings))
    executor = Executor(store, ring, settings, watched, outside or reach, ACTIONS)
    try:
        await publish_at_start(executor, watched.publisher)
        yield World(data, settings, first, ring, store, watched, executor, reach)
    finally:
        await executor.close()
        store.close()
