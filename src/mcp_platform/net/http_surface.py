"""What every connection of one server shares: the application, the ceilings, the clock, the totals."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import Fault
from mcp_platform.net.http_answer import AnswerHeads
from mcp_platform.net.http_exchange import App


@dataclass(slots=True)
class Surface:
    """Belongs to one HttpServer; its connections read it and keep the totals."""

    app: App
    ceilings: Http
    name: str
    loop: asyncio.AbstractEventLoop
    now: Callable[[], float]
    """The loop's clock."""
    heads: AnswerHeads
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """Handlers under way, also those whose client has left."""
    held: int = 0
    """Bytes of unfinished bodies over all connections."""
    client: Callable[[str, dict[str, str]], str] = lambda peer, _headers: peer
    """The client's address, by that of the peer and the headers of its request."""
    refused: Callable[[Fault, str], None] = lambda _fault, _address: None
    """Told of every refusal that this server makes by itself, with the client's address."""
    refusal_type: str = "application/json"
    """Content type of what `App.refuse` makes."""
    draining: bool = False
    """No connection is kept after its answer."""
