"""Control's own ways to the upstreams, beside those of a look: to ask whether they are there, and to hear them."""

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.folder import DataFolder
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports.broker_wire import BrokerClient
from mcp_platform.net.transports.host_link import HostConnection
from mcp_platform.net.transports.links import UpstreamLinks


class Outward:
    """Made once, inside the running loop. The connection to the upstream-host is its owner's."""

    def __init__(self, data: DataFolder, settings: Upstreams, host: HostConnection) -> None:
        self._client = HttpClient(
            max_connections=settings.max_connections, connect_timeout_s=settings.connect_timeout_s
        )
        self._broker = BrokerClient(data.run / "broker.sock")
        self.links = UpstreamLinks(self._client, self._broker, host, settings)

    async def close(self) -> None:
        """Links first: they say goodbye through the rest."""
        await self.links.close()
        await self._broker.close()
        await self._client.close()
