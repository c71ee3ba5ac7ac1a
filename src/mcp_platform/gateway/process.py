"""One gateway worker: from what it inherited to the last answer it gives. No SQL, no code of control."""

import asyncio
import signal

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mcp_platform.base import collector
from mcp_platform.base.clock import monotonic
from mcp_platform.base.config import Settings
from mcp_platform.base.config.addresses import base_url, scheme
from mcp_platform.base.log import Log
from mcp_platform.features.cors.check import HostRule, OriginRule, Sharing
from mcp_platform.features.headers.check import for_api, is_secure
from mcp_platform.features.jwt.check import resource_of
from mcp_platform.gateway import pipeline
from mcp_platform.gateway.app import AgentApp
from mcp_platform.gateway.asked import Asked
from mcp_platform.gateway.exchange import Exchange
from mcp_platform.gateway.feed import Feed
from mcp_platform.gateway.hub import Hub
from mcp_platform.gateway.listing import cursor_seal
from mcp_platform.gateway.meter import Meter
from mcp_platform.gateway.owners import Owners
from mcp_platform.gateway.parking import Parking, RequestState
from mcp_platform.gateway.record import refused_early
from mcp_platform.gateway.renewal import Renewal
from mcp_platform.gateway.resumption import Kept, StreamName
from mcp_platform.gateway.schemas import Schemas
from mcp_platform.gateway.sealed import Seal
from mcp_platform.gateway.session_home import Homes
from mcp_platform.gateway.session_notes import Notes
from mcp_platform.gateway.sessions import Session, Sessions
from mcp_platform.gateway.sse_connections import SseConnections, SseId
from mcp_platform.gateway.task_ids import task_seal
from mcp_platform.gateway.upward import Upward
from mcp_platform.gateway.world import World
from mcp_platform.journal.calls import CallJournal
from mcp_platform.journal.start import start_calls
from mcp_platform.net.inherit import Inherited
from mcp_platform.net.peer import TrustedProxies
from mcp_platform.net.server import HttpServer
from mcp_platform.net.tls_files import certificate_of
from mcp_platform.net.transports.offers import LIST_CHANGES
from mcp_platform.snapshot.shelf import Shelf

log = Log(__name__)
_FIRST_SNAPSHOT_S = 2.0
"""Seconds that new connections wait in the queue for the first snapshot."""
_TICK_S = 1.0
"""Seconds between two looks at which calls need a sign of life, or have outlived their credential."""


def run(inherited: Inherited, slot: int) -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    uvloop.run(_serve(inherited, slot))


async def _serve(inherited: Inherited, slot: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    orphaned = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(inherited.lifeline, _orphan, loop, inherited.lifeline, stop, orphaned)
    if inherited.gate is not None:
        inherited.gate.join(slot)
    upward = Upward(inherited.data, inherited.settings.upstreams)
    journal = start_calls(inherited.data, inherited.settings, slot, bytes(inherited.worker_secret))
    world = _world(inherited, slot, upward, journal)
    server = _server(inherited, world)
    feed = _feed(inherited, slot, world)
    tasks = [asyncio.create_task(feed.run()), asyncio.create_task(_tick(world))]
    world.hub.hint = world.hint
    world.links.announced = lambda upstream, method: world.hint(upstream, (LIST_CHANGES[method],))
    known = asyncio.create_task(_first_snapshot(world, stop))

    async def answer_hop(exchange: Exchange) -> None:
        if not known.done():
            await asyncio.shield(known)
        await pipeline.serve(world, exchange)

    hops = await world.owners.serve(inherited.owners[slot], answer_hop, world.told)
    await known
    collector.spare()
    for sock in inherited.gateway:
        server.listen(sock)
    await stop.wait()
    world.hub.drain()
    world.owners.drain()
    await server.drain(0 if orphaned.is_set() else inherited.settings.processes.drain_s)
    hops.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await world.hub.close()
    await upward.close()
    await journal.close()


def _server(inherited: Inherited, world: World) -> HttpServer:
    """The agents' listener; it listens to nothing yet."""
    gateway = inherited.settings.gateway
    port = inherited.gateway[0].getsockname()[1] if inherited.gateway else gateway.port
    origins = OriginRule.of(gateway.allowed_origins)
    proxies = TrustedProxies(gateway.trusted_proxies, gateway.proxy_header)
    tls = certificate_of(inherited.settings, "gateway")
    secure = is_secure(
        gateway.public_url,
        (gateway.host, *gateway.allowed_hosts),
        tls=tls is not None,
        development=tls is not None and tls.is_development,
    )
    return HttpServer(
        AgentApp(world, _hosts(inherited.settings, port), origins, proxies),
        inherited.settings.http,
        gate=inherited.gate,
        always=for_api(secure=secure) + Sharing.of(origins).always,
        name="gateway",
        tls=tls,
        client=proxies.client,
        refused=lambda fault, address: refused_early(world.journal, fault, address),
    )


async def _first_snapshot(world: World, stop: asyncio.Event) -> None:
    """Nobody is let in before the worker knows anybody: queued connections wait a little longer, refused ones would
    have come in vain. So do what other workers send on: who asks for a call that a worker took with it is told so, and
    not to come back. Bounded, so that /readyz can say what is missing."""
    waits = [asyncio.create_task(world.known.wait()), asyncio.create_task(stop.wait())]
    await asyncio.wait(waits, timeout=_FIRST_SNAPSHOT_S, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _orphan(loop: asyncio.AbstractEventLoop, lifeline: int, stop: asyncio.Event, orphaned: asyncio.Event) -> None:
    loop.remove_reader(lifeline)
    orphaned.set()
    stop.set()


def _world(inherited: Inherited, slot: int, upward: Upward, journal: CallJournal) -> World:
    settings, secret = inherited.settings, bytes(inherited.worker_secret)
    assert len(secret) == 64, "the supervisor hands a worker both its keys"
    mac_key, seal_key = secret[:32], secret[32:]
    calls = settings.calls
    workers = max(1, len(inherited.owners))
    notes = Notes()
    kept = Kept(Seal(seal_key, "event id v1", StreamName), slot, calls.parked_ttl_s)
    hub = Hub(upward.links, per_principal=max(1, calls.max_streams_per_principal // workers))
    return World(
        settings=settings,
        slot=slot,
        mac_key=mac_key,
        resource=_resource(inherited),
        sessions=Sessions(Seal(seal_key, "legacy session v2", Session), calls.session_ttl_s),
        notes=notes,
        kept=kept,
        hub=hub,
        homes=Homes(hub, kept, notes, calls.parked_ttl_s),
        sse=SseConnections(Seal(seal_key, "message endpoint v1", SseId), slot),
        parking=Parking(
            Seal(seal_key, "request state v1", RequestState),
            slot,
            per_principal=max(1, calls.max_parked_per_principal // workers),
            ttl_s=calls.parked_ttl_s,
        ),
        asked=Asked(slot),
        owners=Owners(inherited.data.run, workers, slot),
        schemas=Schemas(),
        links=upward.links,
        renewal=Renewal(upward.renew),
        cursors=cursor_seal(seal_key),
        tasks=task_seal(seal_key),
        meter=Meter(inherited.meter),
        journal=journal,
    )


def _feed(inherited: Inherited, slot: int, world: World) -> Feed:
    def heard() -> None:
        world.heard_at = monotonic()

    public = (inherited.data.keys / "snapshot.pub").read_bytes()
    return Feed(
        inherited.data.run / "feed.sock",
        Shelf(inherited.data.snapshot),
        Ed25519PublicKey.from_public_bytes(public),
        slot,
        heard=heard,
        take=world.take,
        told=world.told,
        known=world.known_of_sessions,
        changed=world.lists_changed,
        to_tell=world.to_tell,
    )


def _resource(inherited: Inherited) -> str:
    gateway = inherited.settings.gateway
    port = inherited.gateway[0].getsockname()[1] if inherited.gateway else gateway.port
    return resource_of(base_url(gateway, port), gateway.host, port)


def _hosts(settings: Settings, port: int) -> HostRule:
    gateway = settings.gateway
    return HostRule.of(gateway.public_url, gateway.host, port, gateway.allowed_hosts, scheme=scheme(gateway))


async def _tick(world: World) -> None:
    while True:
        await asyncio.sleep(_TICK_S)
        world.tick()
