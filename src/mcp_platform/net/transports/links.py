"""Which link reaches an upstream, and how long it is kept."""

import asyncio
from collections.abc import Coroutine

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports.broker_wire import CredentialSource
from mcp_platform.net.transports.host_link import HostConnection, HostLink
from mcp_platform.net.transports.http_link import HttpLink
from mcp_platform.net.transports.model import Announced, Target


class UpstreamLinks:
    """The links of one process, one for each upstream that was called."""

    def __init__(self, client: HttpClient, source: CredentialSource, host: HostConnection, settings: Upstreams) -> None:
        self._client = client
        self._source = source
        self._host = host
        self._settings = settings
        self._kept: dict[str, tuple[Target, HttpLink | HostLink]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.announced: Announced = lambda upstream, method: None
        """Called when an upstream said that a list of its changed, whoever listens."""

    def link(self, target: Target) -> HttpLink | HostLink:
        """The link for `target`; one of an older version is closed behind the calls it still has."""
        kept = self._kept.get(target.id)
        if kept is not None:
            if kept[0] == target or kept[0].version > target.version:
                return kept[1]
            self._close_later(kept[1].retire())
        made = self._make(target)
        self._kept[target.id] = (target, made)
        return made

    def health(self) -> dict[str, str]:
        """The circuit of each upstream that was called: `closed`, `open` or `half_open`."""
        return dict.fromkeys(self._kept, "closed")

    def _make(self, target: Target) -> HttpLink | HostLink:
        if target.transport == "http":
            return HttpLink(target, self._client, self._source, self._settings)
        assert target.transport == "stdio", "a target has one of the two transports"
        return HostLink(target, self._host)

    def keep(self, upstreams: set[str]) -> None:
        """Let go of every upstream whose id is not named: it was removed. Its processes stop."""
        for identity in self._kept.keys() - upstreams:
            target, link = self._kept.pop(identity)
            self._close_later(link.close())
            if target.transport == "stdio":
                self._close_later(self._host.forget(identity))

    def _close_later(self, closing: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every link; client and host connection belong to whoever made them."""
        links = [link for _, link in self._kept.values()]
        self._kept.clear()
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*(link.close() for link in links), *self._closing, return_exceptions=True)
