"""Searches of the index, and of contents, in threads of their own: neither changes nor ingestion wait for one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sqlalchemy import Engine

from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.control.record_content import Examination
from mcp_platform.features.audit import search
from mcp_platform.features.audit.content import Examined
from mcp_platform.features.audit.errors import RECORD_UNAVAILABLE
from mcp_platform.features.audit.index import open_to_read
from mcp_platform.features.audit.model import Row
from mcp_platform.features.audit.query import Query
from mcp_platform.features.audit.reading import Asked
from mcp_platform.features.audit.search import Span
from mcp_platform.journal.subjects import SubjectKeys

AT_ONCE: Final = 2
"""Searches at once; more wait for their turn."""


class RecordSearch:
    """Control's."""

    def __init__(self, data: DataFolder, worker_secret: bytes) -> None:
        self._path = data.record_index
        self._journal = data.journal
        self._subjects = SubjectKeys(data, worker_secret)
        self._threads = ThreadPoolExecutor(AT_ONCE, "record-search")
        self._engine: Engine | None = None

    async def search(self, query: Query, span: Span, limit: int, actors: dict[str, tuple[str, ...]]) -> list[Row]:
        """Raises Fault(search_too_wide | record_unavailable)."""
        engine = self._open()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: search.page(engine, query, span, limit, actors))

    async def examine(self, asked: Asked, text: str, limit: int) -> Examined:
        """Raises Fault(search_too_wide | record_unavailable)."""
        engine = self._open()
        examination = Examination(self._journal, self._subjects, text)

        def examine() -> Examined:
            # One more than may be looked into: whether it goes on.
            calls = search.calls(engine, asked.query, asked.span, asked.limit + 1, asked.actors)
            return examination.run(calls[: asked.limit], limit, more=len(calls) > asked.limit)

        return await asyncio.get_running_loop().run_in_executor(self._threads, examine)

    def erase(self, subject: str) -> bool:
        """Destroy the key of a subject's contents; False where there is none."""
        return self._subjects.erase(subject)

    def _open(self) -> Engine:
        if self._engine is None:
            if not self._path.exists():
                raise Fault(RECORD_UNAVAILABLE, retry_after_s=1)  # it is being made
            self._engine = open_to_read(self._path)
        return self._engine

    def reopen(self) -> None:
        """The file was made anew: what is open is the old one."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self.reopen()
