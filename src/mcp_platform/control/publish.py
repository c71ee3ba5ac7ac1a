"""From SQL to snapshots: builds what changed, signs it, puts it on the shelf and tells the workers.

A draft is built inside the transaction of its change, so that what cannot be published is not committed. Publishing
waits, bounded, until the connected workers answer by the new revision.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_platform.base import clock
from mcp_platform.base.config import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.features.apikeys import tables as apikeys
from mcp_platform.features.jwt import tables as jwt
from mcp_platform.features.ratelimit import tables as ratelimit
from mcp_platform.features.rbac import tables as rbac
from mcp_platform.features.toolpolicy import tables as toolpolicy
from mcp_platform.features.upstreams import tables as upstreams
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow, UpstreamRow
from mcp_platform.features.virtualservers import tables as virtualservers
from mcp_platform.snapshot.codec import encode_rows, hash_of, open_manifest, sign_manifest
from mcp_platform.snapshot.model import FORMAT, Manifest, bucket
from mcp_platform.snapshot.shelf import Shelf
from mcp_platform.store.action import Touched
from mcp_platform.store.unit import Unit

ROWS_IN_SHARD = 64
"""Keys or principals in a shard on average: decoding one takes a worker about 50 µs."""
OFFERED_IN_SHARD = 64
"""Tools, prompts, resources or templates in a shard, at most."""
BYTES_IN_SHARD = 256 * 1024
"""Bytes of definitions in a shard, unless one alone is larger: decoding it takes a worker well under a millisecond."""
ITEMS_IN_SHARD = 500
"""Items of a virtual server in a shard: decoding them takes a worker less than a millisecond."""
KEPT_MANIFESTS = 3
"""Revisions whose shards stay on the shelf: a worker may be reading the one before."""
Offered = ToolRow | PromptRow | ResourceRow | TemplateRow
Shards = dict[str, list[bytes]]
WAIT_S = 0.9
"""Seconds that a change waits for the workers, so that its answer comes within one second."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A revision that is built and not yet published."""

    manifest: Manifest
    shards: dict[bytes, bytes] = field(repr=False)


class Publisher:
    """The one writer of snapshots."""

    def __init__(self, data: DataFolder, platform: str, key: Ed25519PrivateKey, settings: Settings) -> None:
        self._shelf = Shelf(data.snapshot)
        self._shelf.prepare()
        self._platform = platform
        self._key = key
        self._settings = settings
        self._current: Manifest | None = None
        self._in_use: deque[set[bytes]] = deque(maxlen=KEPT_MANIFESTS)
        self.signed_hash = b"\0" * 32
        self.workers: dict[int, int] = {}
        """Connection → the revision its worker answers by."""
        self._changed = asyncio.Event()
        self.announce: Callable[[], None] = lambda: None
        """Set by the feed: send every worker a heartbeat now."""

    @property
    def key(self) -> Ed25519PrivateKey:
        return self._key

    @property
    def revision(self) -> int:
        """The newest published revision; 0 before the first."""
        return self._current.revision if self._current else 0

    def resume(self, revision: int) -> bool:
        """Go on from the manifest on the shelf, where it is ours and of `revision`, and every shard is there."""
        signed = self._shelf.read_manifest()
        if signed is None:
            return False
        try:
            manifest = open_manifest(signed, self._key.public_key())
        except Fault:
            return False
        wanted = _addresses(manifest)
        if manifest.revision != revision or manifest.platform != self._platform or not self._shelf.has(wanted):
            return False
        self._stands(manifest, signed, wanted)
        return True

    def newest_seen(self) -> int:
        """The highest revision that workers have answered by; what is published must be above it."""
        return self._shelf.seen()

    def full(self, unit: Unit, revision: int) -> Draft:
        """Everything, from SQL."""
        self._current = None
        return self.build(unit, Touched(), revision)

    def build(self, unit: Unit, touched: Touched, revision: int) -> Draft:
        """What `revision` is, given that only `touched` changed. Raises Fault or a database error; then there is no
        such revision."""
        shards: dict[bytes, bytes] = {}

        def put(rows: list[object]) -> bytes:
            content = encode_rows(rows)
            address = hash_of(content)
            shards[address] = content
            return address

        now = self._current
        servers = upstreams.upstreams(unit, self._settings.upstreams)

        def offered(before: Shards, rows: Callable[[UpstreamRow], Sequence[Offered]]) -> Shards:
            return {
                row.id: before[row.id]
                if row.id in before and row.id not in touched.upstreams
                else [put(chunk) for chunk in _chunks(rows(row))]
                for row in servers
            }

        manifest = Manifest(
            format=FORMAT,
            platform=self._platform,
            revision=revision,
            created=clock.now(),
            keys=self._keys(unit, touched, put),
            principals=_principals(unit, put) if now is None or touched.principals or touched.roles else now.principals,
            roles=put(list(rbac.roles(unit))) if now is None or touched.roles else now.roles,
            upstreams=put(list(servers)),
            tools=offered(now.tools if now else {}, lambda row: _tools(unit, row)),
            prompts=offered(
                now.prompts if now else {}, lambda row: upstreams.items(unit, row.id, "prompts", PromptRow)
            ),
            resources=offered(
                now.resources if now else {}, lambda row: upstreams.items(unit, row.id, "resources", ResourceRow)
            ),
            templates=offered(
                now.templates if now else {}, lambda row: upstreams.items(unit, row.id, "templates", TemplateRow)
            ),
            issuers=put(list(jwt.issuers(unit))) if now is None or touched.issuers else now.issuers,
            limits=put(list(ratelimit.limits(unit))) if now is None or touched.limits else now.limits,
            virtuals=_virtuals(unit, touched, now, put),
        )
        return Draft(manifest, shards)

    async def publish(self, draft: Draft) -> dict[str, object]:
        """Put the draft on the shelf, tell the workers and wait for them. What came of it: revision, workers,
        taken, ms."""
        began = clock.monotonic()
        self.put(draft)
        self.announce()
        wanted = draft.manifest.revision
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                while any(revision < wanted for revision in self.workers.values()):
                    self._changed.clear()
                    await self._changed.wait()
        taken = sum(revision >= wanted for revision in self.workers.values())
        took_ms = round((clock.monotonic() - began) * 1000, 1)
        return {"revision": wanted, "workers": len(self.workers), "taken": taken, "ms": took_ms}

    def put(self, draft: Draft) -> None:
        """Put the draft on the shelf. Nobody is told: for a platform that is not running."""
        for address, content in draft.shards.items():
            self._shelf.write_shard(address, content)
        signed = sign_manifest(draft.manifest, self._key)
        self._shelf.write_manifest(signed)
        self._stands(draft.manifest, signed, _addresses(draft.manifest))
        self._shelf.drop_all_but(set().union(*self._in_use))

    def worker_at(self, connection: int, revision: int | None) -> None:
        """A worker answers by `revision`; None: it is gone."""
        if revision is None:
            self.workers.pop(connection, None)
        else:
            self.workers[connection] = revision
        self._changed.set()

    def _stands(self, manifest: Manifest, signed: bytes, addresses: set[bytes]) -> None:
        self._current = manifest
        self.signed_hash = hash_of(signed)
        self._in_use.append(addresses)

    def _keys(self, unit: Unit, touched: Touched, put: Callable[[list[object]], bytes]) -> list[bytes]:
        count = _power_of_two(apikeys.count_keys(unit) // ROWS_IN_SHARD)
        old = self._current.keys if self._current else []
        if len(old) != count and not count // 2 <= len(old) <= count * 2:
            old = []
        count = len(old) or count
        width = (1 << 32) // count
        changed = {bucket(key, count) for key in touched.keys} if old else range(count)
        addresses = list(old) or [b""] * count
        for number in changed:
            rows = apikeys.keys(unit, number * width, (number + 1) * width - 1)
            addresses[number] = put(list(rows))
        return addresses


def _principals(unit: Unit, put: Callable[[list[object]], bytes]) -> list[bytes]:
    rows = rbac.principals(unit)
    count = _power_of_two(len(rows) // ROWS_IN_SHARD)
    buckets: list[list[object]] = [[] for _ in range(count)]
    for row in sorted(rows, key=lambda each: each.id):
        buckets[bucket(row.id, count)].append(row)
    return [put(each) for each in buckets]


def _tools(unit: Unit, row: UpstreamRow) -> list[ToolRow]:
    quiet = toolpolicy.read_only(unit, row.name)
    return [
        msgspec.structs.replace(tool, read_only=True) if tool.name in quiet else tool
        for tool in upstreams.tools(unit, row.id)
    ]


def _chunks(rows: Sequence[Offered]) -> Iterator[list[object]]:
    """What goes into one shard each, in the order of `rows`."""
    chunk: list[object] = []
    size = 0
    for row in rows:
        if chunk and (len(chunk) == OFFERED_IN_SHARD or size + len(row.definition) > BYTES_IN_SHARD):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += len(row.definition)
    if chunk:
        yield chunk


def _virtuals(
    unit: Unit, touched: Touched, now: Manifest | None, put: Callable[[list[object]], bytes]
) -> dict[str, list[bytes]]:
    known = {} if now is None else now.virtuals
    found: dict[str, list[bytes]] = {}
    for virtual_id in virtualservers.enabled_ids(unit):
        kept = None if virtual_id in touched.virtuals else known.get(virtual_id)
        if kept is None:
            items = virtualservers.virtual_items(unit, virtual_id)
            kept = [put([virtualservers.virtual_row(unit, virtual_id)])]
            kept += [put(list(items[at : at + ITEMS_IN_SHARD])) for at in range(0, len(items), ITEMS_IN_SHARD)]
        found[virtual_id] = kept
    return found


def _addresses(manifest: Manifest) -> set[bytes]:
    kinds = (manifest.tools, manifest.prompts, manifest.resources, manifest.templates)
    offered = [address for kind in kinds for shards in kind.values() for address in shards]
    offered += [address for shards in manifest.virtuals.values() for address in shards]
    single = (manifest.roles, manifest.upstreams, manifest.issuers, manifest.limits)
    return {*manifest.keys, *manifest.principals, *single, *offered}


def _power_of_two(least: int) -> int:
    return 1 << max(0, least - 1).bit_length() if least > 1 else 1
