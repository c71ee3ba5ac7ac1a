"""`mcp-platform serve`: everything that is made once, in order, and then the loop over what it forks.

What cannot be made ends the start with one Fault, before anything runs.
"""

import os
import signal
from collections.abc import Callable, Sequence

from mcp_platform.base import log
from mcp_platform.base.config import Settings
from mcp_platform.base.folder import DataFolder
from mcp_platform.base.lock import FolderLock
from mcp_platform.gateway.meter import Meter
from mcp_platform.net.gate import Gate
from mcp_platform.net.inherit import Inherited
from mcp_platform.store import revisions
from mcp_platform.supervisor import kernel, preflight, sockets, status
from mcp_platform.supervisor.containment import Containment
from mcp_platform.supervisor.cores import usable_cores
from mcp_platform.supervisor.drain import remove_sockets
from mcp_platform.supervisor.kept_limits import KeptLimits
from mcp_platform.supervisor.places import Place
from mcp_platform.supervisor.ready import Readiness
from mcp_platform.supervisor.roles import ROLES, Role
from mcp_platform.supervisor.short_lived import ask
from mcp_platform.supervisor.sockets import Ports
from mcp_platform.supervisor.terminal import Terminal
from mcp_platform.supervisor.watch import SIGNALS, Supervisor

_log = log.Log("supervisor")
_LOCK_WAIT_S = 2.0
"""Seconds that the processes of a platform that was killed get to be gone."""


def run(
    data: DataFolder,
    settings: Settings,
    *,
    reload: Callable[[], Settings] | None = None,
    on_ready: Callable[[Ports], None] | None = None,
    roles: Sequence[Role] = ROLES,
    containment: Containment | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises Fault when the start is refused.

    `reload` reads the configuration again on SIGHUP. `on_ready` is called once, when the platform answers.
    `containment` None: the strongest that works here.
    """
    log.setup("supervisor", settings.processes.log_level)
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        preflight.check_folder(data)
        lock = FolderLock.take(data.lock, _LOCK_WAIT_S)
        try:
            return _serve(data, settings, reload, on_ready, roles, containment or Containment.strongest())
        finally:
            lock.release()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)


def _serve(
    data: DataFolder,
    settings: Settings,
    reload: Callable[[], Settings] | None,
    on_ready: Callable[[Ports], None] | None,
    roles: Sequence[Role],
    containment: Containment,
) -> int:
    found = ask("mcp_platform.supervisor.schema:read", data, settings).decode()
    preflight.check_schema(found)
    if found != revisions.newest():
        now = ask("mcp_platform.control.upgrade:run", data, settings).decode()
        _log.info("schema_upgraded", before=found, now=now)
    ask("mcp_platform.supervisor.tls_pairs:check", data, settings)
    secret = ask("mcp_platform.supervisor.worker_secret:read", data, settings)
    preflight.raise_descriptor_limit(settings)
    workers = settings.gateway.workers or usable_cores()
    gate = Gate.make(workers, settings.http.max_connections, settings.http.max_connections_per_address)
    lifeline, write_end = os.pipe2(os.O_CLOEXEC)
    world = Inherited(data=data, settings=settings, lifeline=lifeline, worker_secret=secret, gate=gate)
    world.meter = Meter.make()
    kept = KeptLimits(world.meter, data.limits)
    kept.restore()
    world.gateway = sockets.listen_tcp("gateway", settings.gateway.host, settings.gateway.port)
    world.console = sockets.listen_tcp("console", settings.console.host, settings.console.port)
    preflight.tell_what_is_clear(settings)
    sockets.listen_unix(world, workers)
    ports = sockets.ports_of(world)
    status.write_ports(data, ports)
    kernel.set_dumpable(False)
    if containment is Containment.SUBREAPER:
        kernel.adopt_orphans()
    places = [Place(role, slot) for role in roles for slot in (range(workers) if role.slots else [None])]
    readiness = Readiness(settings, ports, on_ready)
    supervisor = Supervisor(world, places, containment, write_end, readiness, Terminal(), kept, gate.forget, reload)
    try:
        return supervisor.run()
    finally:
        kept.save()
        remove_sockets(world)
