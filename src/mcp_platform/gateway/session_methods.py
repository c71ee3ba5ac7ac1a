"""What a legacy client sets for its session: the log level, and the resources of whose changes it wants to hear."""

from mcp_platform.base.errors import Fault
from mcp_platform.gateway.declared import declared
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.resources_read import resolve
from mcp_platform.gateway.sessions import Session
from mcp_platform.gateway.stream_errors import CHANGES_NOT_TOLD, OWNER_AWAY
from mcp_platform.gateway.watched import WatchedResource
from mcp_platform.wire import headers as names
from mcp_platform.wire.errors import INVALID_PARAMS
from mcp_platform.wire.modern import LOG_LEVELS


async def set_level(request: Request) -> None:
    """logging/setLevel: every worker knows it before it is answered."""
    level = request.params.get("level")
    if not isinstance(level, str) or level not in LOG_LEVELS:
        raise Fault(INVALID_PARAMS, "`level` must be one of the eight levels of RFC 5424, from debug to emergency.")
    session = _session(request)
    until = request.world.sessions.until(session)
    await request.world.tell_sessions(request.world.notes.change(session.mark, until, level=level))
    request.outlet().result(b"{}")


async def subscribe(request: Request) -> None:
    """resources/subscribe, at the session's home: answered when the server has agreed to tell."""
    if await _went_home(request):
        return
    world, item, uri = request.world, resolve(request), str(request.params["uri"])
    if not _tells(item.upstream.capabilities):
        raise Fault(CHANGES_NOT_TOLD)
    session = _session(request)
    until = world.sessions.until(session)
    audience = world.homes.audience(session, request.identity, request.endpoint, until)
    await world.hub.watch(audience, WatchedResource(uri, item))
    await world.tell_sessions(world.notes.change(session.mark, until, add=uri))
    request.outlet().result(b"{}")


async def unsubscribe(request: Request) -> None:
    """resources/unsubscribe; what was not subscribed to is not any more, either."""
    if await _went_home(request):
        return
    uri = request.params.get("uri")
    if not isinstance(uri, str):
        raise Fault(INVALID_PARAMS, "`uri` must be the URI of a resource.")
    world, session = request.world, _session(request)
    audience = world.homes.known(session.mark)
    if audience is not None:
        world.hub.unwatch(audience, uri)
    if uri in world.notes.of(session.mark).uris:
        await world.tell_sessions(world.notes.change(session.mark, world.sessions.until(session), remove=uri))
    request.outlet().result(b"{}")


async def _went_home(request: Request) -> bool:
    """Whether the session is at home in another worker, which has answered then."""
    home = request.world.owners.home_of(request.session)
    if home == request.world.slot:
        return False
    if request.hop:
        raise Fault(OWNER_AWAY)
    await request.world.owners.forward(home, request.exchange, OWNER_AWAY)
    return True


def _session(request: Request) -> Session:
    return request.world.sessions.open(
        request.exchange.headers.get(names.SESSION), request.identity, request.endpoint.name
    )


def _tells(capabilities: bytes) -> bool:
    """Whether a server with these capabilities tells of changed resources; where they are not known, it may."""
    seen = declared(capabilities)
    return seen is not None and (seen.resources is None or seen.subscribe)
