"""Forks one child and makes it what its role says, before a line of the role's own code runs.

A child gives up what it does not serve, cannot outlive the supervisor, gains no rights, and never returns from here.
"""

import contextlib
import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from mcp_platform.base import log
from mcp_platform.base.errors import CONFIGURATION, Fault
from mcp_platform.net.inherit import Inherited
from mcp_platform.supervisor import kernel
from mcp_platform.supervisor.containment import Containment, fork_plain, is_severed
from mcp_platform.supervisor.roles import Role

EXIT_FAILED = 1
EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: starting again would end the same way."""

_SOCKET_FIELDS = ("gateway", "console", "operations", "control", "feed", "broker", "host", "owners")
_log = log.Log("supervisor")


def entry_of(role: Role) -> Callable[..., None]:
    """The function that a role runs; imports its module."""
    module, _, name = role.entry.partition(":")
    function: Callable[..., None] = getattr(importlib.import_module(module), name)
    return function


def fork(role: Role, slot: int | None, world: Inherited, write_end: int, containment: Containment) -> int:
    """Start a process of `role`; returns the pid to wait for. `write_end` is the supervisor's end of the lifeline.

    The first fork of a warm role imports its module here: after control was forked, which imports its own meanwhile.
    """
    if role.warm:
        entry_of(role)

    def shed_all() -> None:
        os.close(write_end)
        _shed(role, slot, world)

    def live() -> NoReturn:
        _live(role, slot, world)

    if role.contained:
        return containment.fork(shed_all, live, world.lifeline)

    def whole() -> NoReturn:
        shed_all()
        live()

    return fork_plain(whole)


def _shed(role: Role, slot: int | None, world: Inherited) -> None:
    """Close and wipe what the role does not need. Nothing here touches the supervisor's own copy."""
    if not role.holds_secret:
        world.worker_secret[:] = bytes(len(world.worker_secret))
    for name in _SOCKET_FIELDS:
        if name in role.keeps:
            continue
        value = getattr(world, name)
        for sock in value if isinstance(value, list) else [value]:
            if isinstance(sock, socket.socket):
                sock.close()
        setattr(world, name, [] if isinstance(value, list) else None)
    for other, sock in enumerate(world.owners):
        if other != slot:
            sock.close()
    if world.gate is not None and "gate" not in role.keeps:
        world.gate.close()
        world.gate = None
    if world.meter >= 0 and "meter" not in role.keeps:
        os.close(world.meter)
        world.meter = -1


def _live(role: Role, slot: int | None, world: Inherited) -> NoReturn:
    """The rest of a child's life."""
    code = EXIT_FAILED
    try:
        kernel.die_with_parent(signal.SIGKILL)
        if is_severed(world.lifeline):
            os._exit(EXIT_FAILED)
        with contextlib.suppress(PermissionError):  # it leads its session already
            os.setsid()
        nowhere = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(nowhere, 0)
        os.close(nowhere)
        kernel.set_name(f"mcpp {role.name}" if slot is None else f"mcpp {role.name} {slot}")
        kernel.forbid_new_privileges()
        kernel.set_dumpable(False)
        log.setup(role.name if slot is None else f"{role.name}-{slot}", world.settings.processes.log_level)
        _own_signals()
        run = entry_of(role)
        run(world, slot) if role.slots else run(world)
        code = 0
    except Fault as fault:
        _log.error("process_refused", code=fault.kind.code, text=fault.text)
        code = EXIT_CONFIGURATION if fault.kind is CONFIGURATION else EXIT_FAILED
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException as error:  # the root of a process: whatever it is, it is logged and ends this process only
        _log.error("process_failed", exc=error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _own_signals() -> None:
    """Handlers until the role has its own. Not the default actions: a namespace's process 1 would never get them."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    def nothing(_number: int, _frame: FrameType | None) -> None:
        """The supervisor acts on these; a program that we start gets the default action back."""

    signal.signal(signal.SIGTERM, end)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, nothing)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
