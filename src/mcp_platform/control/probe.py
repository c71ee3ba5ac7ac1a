"""A look at a server that is added, tested or listed again: connect or start, find its era, list all, let go.

It has a connection or process of its own, as a client with every capability and nobody behind it, so that it sees all
that any client could and shares nothing with a principal. One look at a server at a time.
"""

import asyncio
import contextlib
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from mcp_platform.base import ids
from mcp_platform.base.config import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.control import key_sets
from mcp_platform.control.anchor.schedule import Anchors
from mcp_platform.control.broker import Broker
from mcp_platform.control.record_search import RecordSearch
from mcp_platform.features.upstreams.check import Found, ServerSpec
from mcp_platform.features.upstreams.tables import Access
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports.host_link import HostConnection, HostLink
from mcp_platform.net.transports.http_link import HttpLink
from mcp_platform.net.transports.listing import EVERY_CAPABILITY, LISTER, list_all
from mcp_platform.net.transports.model import Call, Credentials, Target
from mcp_platform.net.transports.sse_link import SseLink
from mcp_platform.net.upstream_errors import UPSTREAM_TIMEOUT

MAX_LOOK_S = 240.0
"""Seconds for a whole look: a server that fills each page slowly must not be listed for ever. The door waits 300."""


class _Own:
    """The credentials of the one server that is being tried."""

    def __init__(self, spec: ServerSpec) -> None:
        self._credentials = Credentials(headers=dict(spec.headers), trust=spec.trust)

    async def credentials(self, target: Target, principal: str | None) -> Credentials:
        return self._credentials

    def forget(self, target: Target, principal: str | None) -> None:
        """There is nothing else to give."""


class Probe:
    """Looks at servers with the same links that calls go through; and at the record."""

    def __init__(
        self, settings: Settings, broker: Broker, host: HostConnection, record: RecordSearch, anchors: Anchors
    ) -> None:
        self.record = record
        self.anchors = anchors
        self._settings = settings.upstreams
        self._broker = broker
        self._host = host
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Server name → whose turn it is; only of those that are looked at now."""

    async def probe(self, spec: ServerSpec) -> Found:
        """Raises Fault(upstream_*) with `stage` in its data."""
        turn = self._turns.setdefault(spec.name, asyncio.Lock())
        try:
            async with asyncio.timeout(MAX_LOOK_S), turn:
                return await self._probe(spec)
        except TimeoutError:
            raise Fault(UPSTREAM_TIMEOUT, data={"stage": "mcp"}) from None

    async def _probe(self, spec: ServerSpec) -> Found:
        target = Target(
            id=ids.new_id("try"),
            version=1,
            transport=spec.transport,
            url=spec.url,
            has_credentials=bool(spec.headers) or spec.trust is not None,
            interactive=spec.interactive,
        )
        if spec.transport == "stdio":
            return await self._over_stdio(spec, target)
        return await self._over_http(spec, target)

    async def fetch_keys(self, url: str, authority: str | None) -> bytes:
        """Raises Fault(issuer_keys_unreachable)."""
        return await key_sets.fetch(url, authority, self._settings.connect_timeout_s)

    async def _over_http(self, spec: ServerSpec, target: Target) -> Found:
        client = HttpClient(max_connections=4, connect_timeout_s=self._settings.connect_timeout_s)
        way = SseLink if spec.transport == "sse" else HttpLink
        link = way(target, client, _Own(spec), self._settings)
        try:
            return await self._look(link, spec)
        finally:
            await link.close()
            await client.close()

    async def _over_stdio(self, spec: ServerSpec, target: Target) -> Found:
        access = Access(argv=list(spec.argv), env=dict(spec.env), cwd=spec.cwd)
        self._broker.try_out(target.id, spec.name, access)
        link = HostLink(target, self._host)
        try:
            return await self._look(link, spec)
        finally:
            await link.close()
            await self._host.forget(target.id)
            self._broker.forget(target.id)

    async def _look(self, link: HttpLink | SseLink | HostLink, spec: ServerSpec) -> Found:
        # A server that agents share is told of no capability by them either.
        capabilities = EVERY_CAPABILITY if spec.interactive else b"{}"
        seen = await link.probe(self._settings.start_timeout_s, LISTER, capabilities)
        timeout_s = self._settings.call_timeout_s
        pattern = Call(method="", params=b"{}", owner=LISTER, capabilities=capabilities, timeout_s=timeout_s)
        offer = await list_all(link, seen, pattern)
        return Found(
            era=seen.era,
            tools=tuple(offer.tools),
            server=_claimed(seen.server_info),
            prompts=tuple(offer.prompts),
            resources=tuple(offer.resources),
            templates=tuple(offer.templates),
            problems=offer.problems,
            capabilities=seen.capabilities,
            server_info=seen.server_info,
            instructions=seen.instructions,
        )


def _claimed(server_info: bytes) -> dict[str, object]:
    """Name and version as the server claims them, cut; empty where it claims nothing that is text."""
    with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
        claimed = msgspec.json.decode(server_info, type=dict[str, Any])
        return {key: claimed[key][:100] for key in ("name", "version") if isinstance(claimed.get(key), str)}
    return {}
