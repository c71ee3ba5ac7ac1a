"""The upstream-host: the one process of a node that owns its stdio servers, so that each one's state exists once.

None of them outlives it: each is bound to it by the kernel, their orphans come to it as subreaper, and when the
supervisor is gone it ends everything below it and itself.
"""

import asyncio
import os
import signal

import uvloop

from mcp_platform.base import log
from mcp_platform.base.log import Log
from mcp_platform.net.inherit import Inherited
from mcp_platform.net.transports.broker_wire import BrokerClient
from mcp_platform.upstream_host.child import Child
from mcp_platform.upstream_host.descendants import kill_all, kill_strangers
from mcp_platform.upstream_host.door import Door
from mcp_platform.upstream_host.pool import SWEEP_S, Pool
from mcp_platform.upstream_host.spawn import become_subreaper

KILL_S = 2.0
"""Seconds to find and kill everything below us; one round takes milliseconds."""

_log = Log(__name__)


def run(inherited: Inherited) -> None:
    """Serve until SIGTERM, then drain; end at once when the supervisor is gone."""
    log.setup("upstream-host", inherited.settings.processes.log_level)
    become_subreaper()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(inherited))
    finally:
        if not kill_all(KILL_S):
            _log.error("descendants_left")


async def _serve(inherited: Inherited) -> None:
    assert inherited.host is not None, "the supervisor makes the host's socket"
    settings = inherited.settings
    loop = asyncio.get_running_loop()
    terminated = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, terminated.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal's Ctrl-C is the supervisor's to answer
    if inherited.lifeline >= 0:
        loop.add_reader(inherited.lifeline, _abandoned)
    broker = BrokerClient(inherited.data.run / "broker.sock")
    pool = Pool(settings.upstreams, broker)
    door = Door(pool)
    server = await asyncio.start_unix_server(door.visit, sock=inherited.host)
    _log.info("upstream_host_serves", isolation=settings.upstreams.isolation)
    sweeping = loop.create_task(_sweep(pool))
    try:
        await terminated.wait()
        server.close()
        await _drain(pool, settings.processes.drain_s)
    finally:
        sweeping.cancel()
        door.close()
        await pool.close()
        await broker.close()


async def _sweep(pool: Pool) -> None:
    """Lives as long as the process."""
    while True:
        await asyncio.sleep(SWEEP_S)
        try:
            pool.sweep()
            ended = kill_strangers(Child.live)
        except Exception as error:  # a task root: the next round may do better
            _log.error("sweep_failed", exc=error)
            continue
        if ended:
            _log.warning("orphans_ended", count=ended)


async def _drain(pool: Pool, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            while pool.under_way:  # noqa: ASYNC110  # calls end in many places; a look every 20 ms is for shutdown only
                await asyncio.sleep(0.02)
    except TimeoutError:
        _log.warning("calls_cut", count=pool.under_way)


def _abandoned() -> None:
    """The lifeline ended: nobody is left who would restart or stop us."""
    _log.error("supervisor_gone")
    kill_all(KILL_S)
    os._exit(70)
