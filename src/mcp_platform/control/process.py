"""The control process: the only writer of configuration. Serves workers, the CLI and people from what it inherited.

The order of start and stop is one readable function each; nothing is served before the snapshot stands.
"""

import asyncio
import contextlib
import importlib
import signal
from dataclasses import dataclass

import uvloop

from mcp_platform.base import clock, collector
from mcp_platform.base.config.addresses import scheme
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.control.broker import Broker
from mcp_platform.control.cli_door import CliDoor
from mcp_platform.control.console.app import VARY, ConsoleApp
from mcp_platform.control.execute import Executor
from mcp_platform.control.feed import FeedServer
from mcp_platform.control.keepers import Keepers
from mcp_platform.control.outward import Outward
from mcp_platform.control.probe import Probe
from mcp_platform.control.publish import Publisher
from mcp_platform.control.record import ControlRecord
from mcp_platform.control.record_copies import RecordCopies
from mcp_platform.control.registry import ACTIONS
from mcp_platform.control.rest.door import RestDoor
from mcp_platform.control.rest.problem import MEDIA_TYPE
from mcp_platform.control.rotation import Rotation
from mcp_platform.control.start import (
    look_up_access,
    publish_at_start,
    require_newest_schema,
    setup_judge,
    start_setup_link,
)
from mcp_platform.features.cors.check import HostRule, own_origins
from mcp_platform.features.headers.check import for_api, for_pages, is_secure
from mcp_platform.features.vault.keys import KeyRing
from mcp_platform.net.inherit import Inherited
from mcp_platform.net.server import HttpServer
from mcp_platform.net.tls_files import certificate_of
from mcp_platform.net.transports.host_link import HostConnection
from mcp_platform.store.engine import open_sqlite
from mcp_platform.store.unit import Store

_log = Log("control.process")
_API = "mcp_platform.control.app"
"""Imported when control serves already: FastAPI takes half a second."""
CONSOLE_DRAIN_S = 2.0
"""Seconds that requests for pages get to finish: each takes milliseconds."""


def run(inherited: Inherited) -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    uvloop.run(_serve(inherited))


@dataclass(slots=True)
class _Control:
    """Everything of this process that has to be closed."""

    store: Store
    executor: Executor
    record: ControlRecord
    copies: RecordCopies
    host: HostConnection
    servers: list[asyncio.Server]
    console: HttpServer
    rest: RestDoor
    beating: asyncio.Task[None]
    rotating: asyncio.Task[None]
    keepers: Keepers
    outward: Outward
    keeping: asyncio.Task[None]


async def _serve(inherited: Inherited) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    orphaned = asyncio.Event()

    def orphan() -> None:
        loop.remove_reader(inherited.lifeline)
        orphaned.set()
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(inherited.lifeline, orphan)
    control = await _start(inherited)
    collector.spare()
    _log.info("control_ready")
    await stop.wait()
    await _stop(control, 0.0 if orphaned.is_set() else CONSOLE_DRAIN_S)


async def _start(inherited: Inherited) -> _Control:
    data, settings = inherited.data, inherited.settings
    feed_sock, broker_sock, door_sock = inherited.feed, inherited.broker, inherited.control
    assert feed_sock is not None, "the supervisor hands control its sockets"
    assert broker_sock is not None, "the supervisor hands control its sockets"
    assert door_sock is not None, "the supervisor hands control its sockets"
    ring = KeyRing.open(data, settings.vault.kek_file)
    store = Store(open_sqlite(data.database))
    require_newest_schema(store)
    publisher = Publisher(data, ring.platform_id, ring.snapshot_private, settings)
    host = HostConnection(
        data.run / "host.sock",
        max_call_s=settings.upstreams.max_call_s,
        start_timeout_s=settings.upstreams.start_timeout_s,
    )
    broker = Broker(lambda upstream, version: look_up_access(executor, ring, upstream, version))
    copies = RecordCopies(data, settings, ring.worker_secret)
    probe = Probe(settings, broker, host, copies.search, copies.anchors)
    executor = Executor(store, ring, settings, publisher, probe, ACTIONS)
    record = await ControlRecord.open(data, settings, ring.platform_id)
    executor.record = record
    copies.start(record)
    await record.started()
    await publish_at_start(executor, publisher)
    await start_setup_link(executor)
    feed = FeedServer(publisher, settings.snapshot.heartbeat_s)
    port = inherited.console[0].getsockname()[1] if inherited.console else settings.console.port
    spoken = scheme(settings.console)
    hosts = HostRule.of(settings.console.public_url, settings.console.host, port, scheme=spoken)
    origins = own_origins(settings.console.public_url, settings.console.host, port, spoken)
    rest = RestDoor(executor, ring.data_key, lambda: importlib.import_module(_API).build(executor, ring.data_key))
    executor.observe = lambda: {"rest": rest.status(), "workers": feed.status(), **copies.status()}
    app = ConsoleApp(hosts, setup_judge(executor, ring), lambda: publisher.revision > 0, origins, rest)
    console = _console(inherited, app, record)
    servers = [
        await feed.serve(feed_sock),
        await broker.serve(broker_sock),
        await CliDoor(executor).serve(door_sock),
    ]
    rotation = Rotation(executor, settings.upstreams.connect_timeout_s)
    broker.renew = rotation.asked
    outward = Outward(data, settings.upstreams, host)
    keepers = Keepers(executor, ring.data_key, probe, outward.links, settings.upstreams, feed.lists_changed)
    executor.published, feed.hinted = keepers.published, keepers.hinted
    executor.in_vain = keepers.in_vain
    outward.links.announced = keepers.announced
    keeping = asyncio.get_running_loop().create_task(keepers.run(), name="keepers")
    beating = asyncio.get_running_loop().create_task(feed.beat(), name="heartbeat")
    rotating = asyncio.get_running_loop().create_task(rotation.run(), name="rotation")
    rest.open()
    return _Control(
        store, executor, record, copies, host, servers, console, rest, beating, rotating, keepers, outward, keeping
    )


def _console(inherited: Inherited, app: ConsoleApp, record: ControlRecord) -> HttpServer:
    """The people's listener, open."""
    settings = inherited.settings
    app.refused = record.refused
    tls = certificate_of(settings, "console")
    secure = is_secure(
        settings.console.public_url,
        (settings.console.host,),
        tls=tls is not None,
        development=tls is not None and tls.is_development,
    )
    always, pages = for_api(secure=secure) + VARY, for_pages(secure=secure) + VARY
    console = HttpServer(
        app,
        settings.http,
        gate=None,
        always=always,
        pages=pages,
        name="console",
        tls=tls,
        refusal_type=MEDIA_TYPE,
        refused=record.refused,
    )
    for sock in inherited.console:
        console.listen(sock)
    return console


async def _stop(control: _Control, drain_s: float) -> None:
    """Accept nothing new, let the change under way end, then let go."""
    began = clock.monotonic()
    for server in control.servers:
        server.close()
    await control.console.drain(drain_s)
    await control.rest.close()
    await _end(control.rotating)  # before the executor that they ask
    await _end(control.keeping)
    await control.keepers.close()
    await control.outward.close()
    await control.executor.close()
    await _end(control.beating)
    await control.record.close()  # after every change that it records
    await control.copies.close()
    await control.host.close()
    control.store.close()
    _log.info("control_ended", took_ms=round((clock.monotonic() - began) * 1000))


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Fault):
        await task
