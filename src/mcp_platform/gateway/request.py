"""One attributed request: who calls, what they sent, and what their client can do."""

from typing import Any

import msgspec

from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.outlet import Exchange, Opener, Outlet
from mcp_platform.gateway.world import View, World
from mcp_platform.wire.jsonrpc import Id, Message
from mcp_platform.wire.modern import Meta


class Request(msgspec.Struct, frozen=True):
    """Everything that a method's code may look at."""

    world: World
    view: View
    exchange: Exchange
    identity: Identity
    endpoint: Endpoint
    message: Message
    id: Id
    meta: Meta
    """What the client says with this request; a legacy client's capabilities and name come from its session."""
    version: str
    modern: bool
    session: bytes
    """Mark of the legacy session; empty for a modern request."""
    hop: bool
    """True where another worker sent the request on: its owner is here or nowhere."""
    opener: Opener | None = None
    """Begins the stream of an answer that the client may come back for; None where it may not."""

    @property
    def params(self) -> dict[str, Any]:
        return self.message.params

    def outlet(self) -> Outlet:
        """The answer side of this request."""
        return Outlet(
            self.exchange,
            self.id,
            modern=self.modern,
            progress_token=self.meta.progress_token,
            log_level=self.meta.log_level,
            opener=self.opener,
        )
