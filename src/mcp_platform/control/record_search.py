"""Searches of the index, in threads of their own: neither changes nor ingestion wait for one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from mcp_platform.base.errors import Fault
from mcp_platform.features.audit import search
from mcp_platform.features.audit.errors import RECORD_UNAVAILABLE
from mcp_platform.features.audit.index import open_to_read
from mcp_platform.features.audit.model import Row
from mcp_platform.features.audit.query import Query
from mcp_platform.features.audit.search import Span

AT_ONCE: Final = 2
"""Searches at once; more wait for their turn."""


class RecordSearch:
    """Control's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(AT_ONCE, "record-search")
        self._engine: Engine | None = None

    async def search(self, query: Query, span: Span, limit: int, actors: dict[str, tuple[str, ...]]) -> list[Row]:
        """Raises Fault(search_too_wide | record_unavailable)."""
        if self._engine is None:
            if not self._path.exists():
                raise Fault(RECORD_UNAVAILABLE, retry_after_s=1)  # it is being made
            self._engine = open_to_read(self._path)
        engine = self._engine
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: search.page(engine, query, span, limit, actors))

    def reopen(self) -> None:
        """The file was made anew: what is open is the old one."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self.reopen()
