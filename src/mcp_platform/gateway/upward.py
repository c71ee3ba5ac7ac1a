"""A worker's ways to the upstreams: one client for HTTP, one connection to the upstream-host, one to the broker."""

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.folder import DataFolder
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports.broker_wire import BrokerClient
from mcp_platform.net.transports.host_link import HostConnection
from mcp_platform.net.transports.links import UpstreamLinks


class Upward:
    """Made once, inside the running loop."""

    def __init__(self, data: DataFolder, settings: Upstreams) -> None:
        self._client = HttpClient(
            max_connections=settings.max_connections, connect_timeout_s=settings.connect_timeout_s
        )
        self._broker = BrokerClient(data.run / "broker.sock")
        self._host = HostConnection(
            data.run / "host.sock", max_call_s=settings.max_call_s, start_timeout_s=settings.start_timeout_s
        )
        self.renew = self._broker.renew
        self.links = UpstreamLinks(self._client, self._broker, self._host, settings)

    async def close(self) -> None:
        """Links first: they say goodbye through the rest."""
        await self.links.close()
        await self._host.close()
        await self._broker.close()
        await self._client.close()
