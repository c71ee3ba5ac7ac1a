"""A look at a server that is being added or tested: connect or start, find its era, list its tools, let go."""

import contextlib
from typing import Any

import msgspec

from mcp_platform.base import ids
from mcp_platform.base.config import Settings
from mcp_platform.control import key_sets
from mcp_platform.control.anchor.schedule import Anchors
from mcp_platform.control.broker import Broker
from mcp_platform.control.record_search import RecordSearch
from mcp_platform.features.upstreams.check import Found, ServerSpec
from mcp_platform.features.upstreams.tables import Access
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports.host_link import HostConnection, HostLink
from mcp_platform.net.transports.http_link import HttpLink
from mcp_platform.net.transports.listing import list_tools
from mcp_platform.net.transports.model import Credentials, Target


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

    async def probe(self, spec: ServerSpec) -> Found:
        """Raises Fault(upstream_*) with `stage` in its data."""
        target = Target(
            id=ids.new_id("try"),
            version=1,
            transport=spec.transport,
            url=spec.url,
            has_credentials=bool(spec.headers) or spec.trust is not None,
            interactive=False,  # a trial is nobody's, and is told of no capability
        )
        if spec.transport == "http":
            return await self._over_http(spec, target)
        return await self._over_stdio(spec, target)

    async def fetch_keys(self, url: str, authority: str | None) -> bytes:
        """Raises Fault(issuer_keys_unreachable)."""
        return await key_sets.fetch(url, authority, self._settings.connect_timeout_s)

    async def _over_http(self, spec: ServerSpec, target: Target) -> Found:
        client = HttpClient(max_connections=4, connect_timeout_s=self._settings.connect_timeout_s)
        link = HttpLink(target, client, _Own(spec), self._settings)
        try:
            return await self._look(link)
        finally:
            await link.close()
            await client.close()

    async def _over_stdio(self, spec: ServerSpec, target: Target) -> Found:
        access = Access(argv=list(spec.argv), env=dict(spec.env), cwd=spec.cwd)
        self._broker.try_out(target.id, spec.name, access)
        link = HostLink(target, self._host)
        try:
            return await self._look(link)
        finally:
            await link.close()
            await self._host.forget(target.id)
            self._broker.forget(target.id)

    async def _look(self, link: HttpLink | HostLink) -> Found:
        seen = await link.probe(self._settings.start_timeout_s)
        tools = await list_tools(link, self._settings.call_timeout_s)
        return Found(era=seen.era, tools=tuple(tools), server=_claimed(seen.server_info))


def _claimed(server_info: bytes) -> dict[str, object]:
    """Name and version as the server claims them, cut; empty where it claims nothing that is text."""
    with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
        claimed = msgspec.json.decode(server_info, type=dict[str, Any])
        return {key: claimed[key][:100] for key in ("name", "version") if isinstance(claimed.get(key), str)}
    return {}
