"""How a platform ends: stop accepting, let calls finish, then those who are asked by others. Bounded at each step."""

import contextlib
import signal
import time
from collections.abc import Callable
from itertools import groupby

from mcp_platform.base import log
from mcp_platform.base.config import Settings
from mcp_platform.net.inherit import Inherited
from mcp_platform.supervisor.places import Place
from mcp_platform.supervisor.roles import Role

GRACE_S = 3.0
"""Seconds a process gets to end: one with calls of its own beyond processes.drain_s, any other from SIGTERM on."""

_WAITED_FOR = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_log = log.Log("supervisor")


def seconds_to_end(role: Role, settings: Settings) -> float:
    return GRACE_S + (settings.processes.drain_s if role.drains else 0.0)


def drain(places: list[Place], world: Inherited, reap: Callable[[], None]) -> None:
    """End every process, the last started role first. A second SIGTERM or SIGINT ends all at once."""
    for sock in (*world.gateway, *world.console):
        sock.close()
    for role, stage in groupby(reversed(places), key=lambda place: place.role):
        members = list(stage)
        for place in members:
            place.ask_to_end(seconds_to_end(role, world.settings))
        while any(place.pid is not None for place in members):
            if _wait(members):
                _log.warning("ending_at_once")
                for place in places:
                    place.send(signal.SIGKILL)
            reap()
            kill_late(members)
    _log.info("platform_ended")


def kill_late(places: list[Place]) -> None:
    """Kill each process that was asked to end and did not in its time."""
    now = time.monotonic()
    for place in places:
        if place.kill_at is not None and place.kill_at <= now:
            _log.warning("process_killed", killed=place.name, process_id=place.pid)
            place.send(signal.SIGKILL)
            place.kill_at = now + GRACE_S


def _wait(members: list[Place]) -> bool:
    """Until something happens or the next time is up; True when we are told to hurry."""
    times = [place.kill_at for place in members if place.kill_at is not None]
    taken = signal.sigtimedwait(_WAITED_FOR, max(0.0, min(times, default=0.0) - time.monotonic()))
    return taken is not None and taken.si_signo != signal.SIGCHLD


def remove_sockets(world: Inherited) -> None:
    """Leave nothing at which a client would wait for a platform that is gone."""
    world.data.control_socket.unlink(missing_ok=True)
    for name in world.data.run.iterdir():
        with contextlib.suppress(OSError):
            name.unlink()
