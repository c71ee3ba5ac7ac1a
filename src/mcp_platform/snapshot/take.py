"""From a manifest to the next snapshot, in steps short enough that a worker's loop never stalls.

Only shards whose hash changed are read; the rest of the new snapshot is the old one's. 100,000 keys taken whole would
hold the loop for 104 ms (measured), so after each slice of work the loop gets its turn.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.features.apikeys.model import KeyRow
from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.jwt.model import IssuerRow
from mcp_platform.features.ratelimit.model import LimitRow
from mcp_platform.features.rbac.model import RoleRow
from mcp_platform.features.upstreams.model import ToolRow, UpstreamRow
from mcp_platform.snapshot.codec import SNAPSHOT_INVALID, decode_rows
from mcp_platform.snapshot.model import Manifest, Snapshot
from mcp_platform.snapshot.shelf import Shelf

SLICE_S = 0.003
"""Seconds of work before the loop gets its turn: with one more shard (under 1 ms) it stays below 5 ms."""
Identified = TypeVar("Identified", KeyRow, PrincipalRow)
Row = TypeVar("Row")


class Taker:
    """Turns manifests into snapshots, remembering what the last one was made of."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._manifest: Manifest | None = None
        self._snapshot = Snapshot()
        self._tool_names: dict[bytes, list[str]] = {}
        """Shard of tools → the exposed names that came from it."""
        self._slice_began = 0.0

    async def take(self, manifest: Manifest) -> Snapshot:
        """The snapshot that `manifest` describes. Raises Fault(snapshot_invalid) where a shard is missing or damaged;
        then nothing has changed."""
        self._slice_began = clock.monotonic()
        old, before = self._snapshot, self._manifest
        keys = await self._buckets(manifest.keys, before.keys if before else [], old.keys, KeyRow)
        principals = await self._buckets(
            manifest.principals, before.principals if before else [], old.principals, PrincipalRow
        )
        roles = old.roles
        if before is None or before.roles != manifest.roles:
            roles = {row.name: row for row in self._rows(manifest.roles, RoleRow)}
        upstreams = old.upstreams
        if before is None or before.upstreams != manifest.upstreams:
            upstreams = {row.id: row for row in self._rows(manifest.upstreams, UpstreamRow)}
        issuers = old.issuers
        if before is None or before.issuers != manifest.issuers:
            issuers = tuple(self._rows(manifest.issuers, IssuerRow))
        limits = old.limits
        if before is None or before.limits != manifest.limits:
            limits = tuple(self._rows(manifest.limits, LimitRow))
        tools, names = await self._tools(manifest)
        self._snapshot = Snapshot(manifest.revision, keys, principals, roles, upstreams, tools, issuers, limits)
        self._manifest, self._tool_names = manifest, names
        return self._snapshot

    async def _buckets(
        self,
        addresses: list[bytes],
        old_addresses: list[bytes],
        old: tuple[dict[str, Identified], ...],
        row: type[Identified],
    ) -> tuple[dict[str, Identified], ...]:
        if addresses == old_addresses:
            return old
        known = dict(zip(old_addresses, old, strict=False))
        buckets: list[dict[str, Identified]] = []
        for address in addresses:
            rows = known.get(address)
            if rows is None:
                rows = {each.id: each for each in self._rows(address, row)}
                await self._breathe()
            buckets.append(rows)
        return tuple(buckets)

    async def _tools(self, manifest: Manifest) -> tuple[dict[str, ToolRow], dict[bytes, list[str]]]:
        wanted = [address for shards in manifest.tools.values() for address in shards]
        if wanted == list(self._tool_names):
            return self._snapshot.tools, self._tool_names
        tools = dict(self._snapshot.tools)
        keep = set(wanted)
        for address, names in self._tool_names.items():
            if address not in keep:
                for name in names:
                    tools.pop(name, None)
                await self._breathe()
        now: dict[bytes, list[str]] = {}
        async for address, rows in self._new_tools(wanted):
            if rows is not None:
                tools.update((each.exposed, each) for each in rows)
            now[address] = [each.exposed for each in rows] if rows is not None else self._tool_names[address]
        return tools, now

    async def _new_tools(self, wanted: list[bytes]) -> AsyncIterator[tuple[bytes, list[ToolRow] | None]]:
        for address in wanted:
            if address in self._tool_names:
                yield address, None
            else:
                yield address, self._rows(address, ToolRow)
                await self._breathe()

    def _rows(self, address: bytes, row: type[Row]) -> list[Row]:
        content = self._shelf.read_shard(address)
        if content is None:
            raise Fault(SNAPSHOT_INVALID)
        return decode_rows(content, address, row)

    async def _breathe(self) -> None:
        if clock.monotonic() - self._slice_began > SLICE_S:
            await asyncio.sleep(0)
            self._slice_began = clock.monotonic()
