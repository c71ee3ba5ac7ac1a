"""Indexes of tools, one for each thing that is there to be found: made once, in a thread, and kept while they are used.

What may be found depends on the endpoint and on the caller's roles; two that may find the same share an index, and one
outlives every revision that leaves its tools as they were.
"""

import asyncio
import hashlib
from collections import OrderedDict

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.tool_index import Document, ToolIndex, slowly

MAX_KEPT = 32
"""Indexes of one worker; one of 10,000 tools takes some 10 MB, one of 500 less than 1 MB."""
MAX_KNOWN = 1024
"""Callers of this revision and the last ones of whom it is known which index they search."""


class Searches:
    """The indexes of one worker."""

    def __init__(self) -> None:
        self._digests: OrderedDict[tuple[int, str, Allowed], bytes] = OrderedDict()
        self._kept: OrderedDict[bytes, ToolIndex] = OrderedDict()
        self._turn = asyncio.Lock()
        """One is made at a time: more threads would only take the processor from calls."""

    async def index(self, revision: int, endpoint: Endpoint, allowed: Allowed) -> ToolIndex:
        """Of the tools of `endpoint` in `revision` that `allowed` permits."""
        key = (revision, endpoint.name, allowed)
        known = self._known(key)
        if known is not None:
            return known
        async with self._turn:
            known = self._known(key)
            return await self._make(key, endpoint) if known is None else known

    def _known(self, key: tuple[int, str, Allowed]) -> ToolIndex | None:
        digest = self._digests.get(key)
        index = None if digest is None else self._kept.get(digest)
        if digest is not None and index is not None:
            self._kept.move_to_end(digest)
        return index

    async def _make(self, key: tuple[int, str, Allowed], endpoint: Endpoint) -> ToolIndex:
        documents, digest = await asyncio.to_thread(_documents, endpoint, key[2])
        index = self._kept.get(digest)
        if index is None:
            index = self._kept[digest] = await asyncio.to_thread(ToolIndex, documents)
        self._kept.move_to_end(digest)
        self._digests[key] = digest
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        while len(self._digests) > MAX_KNOWN:
            self._digests.popitem(last=False)
        return index


def _documents(endpoint: Endpoint, allowed: Allowed) -> tuple[list[Document], bytes]:
    """What can be found, and a digest of it."""
    documents: list[Document] = []
    digest = hashlib.blake2b(digest_size=32)
    for name in slowly(sorted(endpoint.tools)):
        row = endpoint.tools[name]
        if not allowed.permits(row.server, row.name) or not endpoint.upstreams[row.upstream].enabled:
            continue
        document = Document(name, (row.server, row.name), endpoint.definition("tools", name, row.definition))
        for part in (name, *document.also):
            digest.update(b"%d:" % len(part.encode()) + part.encode())
        digest.update(b"%d:" % len(document.definition) + document.definition)
        documents.append(document)
    return documents, digest.digest()
