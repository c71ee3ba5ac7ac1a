"""The client of requests that the platform makes for itself."""

from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE


class Nobody:
    """Hears nothing and answers nothing."""

    def notify(self, method: str, params: bytes) -> None:
        return None

    async def ask(self, method: str, params: bytes) -> Answer:
        raise Fault(UPSTREAM_GARBAGE)
