"""Where a server's session for a caller is: at one worker, so that a server which remembers something of its session is
asked in the same one each time, whichever worker a request comes to.

Over stdio the upstream-host has the processes of all workers, and a modern server remembers nothing; what is left are
legacy servers over HTTP and HTTP+SSE.
"""

from mcp_platform.features.upstreams.model import UpstreamRow
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.sessions import mark_of
from mcp_platform.gateway.stream_errors import CALL_LOST
from mcp_platform.net.transports.era import MODERN

_OVER_HTTP = frozenset({"http", "sse"})


def is_kept(upstream: UpstreamRow) -> bool:
    """Whether the server has a session for each caller in each worker that reaches it."""
    return upstream.interactive and upstream.transport in _OVER_HTTP and upstream.era != MODERN


async def sent_home(request: Request, *, stands: bool = False) -> bool:
    """Whether the worker that has this caller's sessions has answered. False where that is this one, or there is no
    such worker now: then its sessions are gone with it, and new ones begin here. `stands`: the answer is a stream
    without an end. Raises Fault(call_lost) where that worker took the request and went away."""
    owners = request.world.owners
    # A client's session has its streams and subscriptions at home. Without one, whose the request is tells.
    home = owners.home_of(request.session or mark_of(request.identity.principal.id.encode()))
    if request.hop or home == request.world.slot:
        return False
    return await owners.answered_by(home, request.exchange, CALL_LOST, stands=stands)
