"""Keeps what the upstream-host starts from outliving it, by the strongest means that this machine allows.

A process-id namespace of its own ends every process in it with its first one. Without the right to make one, a keeper
stands between: it adopts orphans and kills them. PR_SET_PDEATHSIG alone would leave grandchildren behind.
"""

import contextlib
import enum
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from mcp_platform.supervisor import kernel
from mcp_platform.supervisor.descendants import clear

_PARENT_DIED = signal.SIGUSR1
"""What the keeper of the weakest mode is sent when the supervisor dies: it must outlive it by a moment."""


def fork_plain(live: Callable[[], NoReturn]) -> int:
    """fork(2) whose child runs `live` and never comes back into the caller's frames."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        live()
    finally:
        os._exit(1)


def is_severed(lifeline: int) -> bool:
    """True when nobody holds the write end any more. Closes the race between a fork and PR_SET_PDEATHSIG."""
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    return bool(poll.poll(0))


class Containment(enum.StrEnum):
    """How the upstream-host's descendants are held."""

    PID_NAMESPACE = "pid_namespace"
    USER_NAMESPACE = "user_namespace"
    SUBREAPER = "subreaper"

    @classmethod
    def strongest(cls) -> "Containment":
        """Tries each in a child that ends at once."""
        if _works(_try_pid_namespace):
            return cls.PID_NAMESPACE
        if _works(_try_user_namespace):
            return cls.USER_NAMESPACE
        return cls.SUBREAPER

    def fork(self, shed: Callable[[], None], live: Callable[[], NoReturn], lifeline: int) -> int:
        """Fork a child that sheds what it does not need, then lives; contained. Returns the pid to wait for."""

        def whole() -> NoReturn:
            shed()
            live()

        def keeper() -> NoReturn:
            shed()
            _keep(self, live, lifeline)

        if self is Containment.PID_NAMESPACE:
            return _fork_into_namespace(whole)
        return fork_plain(keeper)


def _fork_into_namespace(live: Callable[[], NoReturn]) -> int:
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def without_handle() -> NoReturn:
        os.close(own)
        live()

    try:
        kernel.unshare(kernel.CLONE_NEWPID)
        try:
            return fork_plain(without_handle)
        finally:
            kernel.enter_namespace(own, kernel.CLONE_NEWPID)
    finally:
        os.close(own)


def _enter_user_namespace() -> None:
    """New user and process-id namespaces, with our own user and group standing for themselves."""
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID)
    kernel.set_dumpable(True)  # or /proc/self would be root's and the maps not ours to write
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    kernel.set_dumpable(False)


def _keep(containment: Containment, live: Callable[[], NoReturn], lifeline: int) -> NoReturn:
    """The keeper's life: start the upstream-host, hand on SIGTERM, end as it ended and leave nothing behind."""
    in_namespace = containment is Containment.USER_NAMESPACE
    watched = {signal.SIGCHLD, signal.SIGTERM, _PARENT_DIED}
    signal.pthread_sigmask(signal.SIG_SETMASK, watched)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setsid()
    kernel.set_name("mcpp keeper")
    kernel.forbid_new_privileges()
    if in_namespace:
        _enter_user_namespace()
    else:
        kernel.adopt_orphans()
    kernel.die_with_parent(signal.SIGKILL if in_namespace else _PARENT_DIED)
    if is_severed(lifeline):
        os._exit(1)
    keeper_lives, write_end = os.pipe2(os.O_CLOEXEC)

    def with_keeper() -> NoReturn:
        os.close(write_end)
        kernel.die_with_parent(signal.SIGKILL)
        if in_namespace:
            kernel.drop_capabilities()
        if not is_severed(keeper_lives):
            live()
        os._exit(1)

    child = fork_plain(with_keeper)
    if in_namespace:
        kernel.drop_capabilities()
    _wait_for(child, watched)


def _wait_for(child: int, watched: set[signal.Signals]) -> NoReturn:
    while True:
        match signal.sigwaitinfo(watched).si_signo:
            case signal.SIGTERM:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
            case signal.SIGCHLD:
                code = _reap(child)
                if code is not None:
                    clear()
                    os._exit(code)
            case _:
                clear()
                os._exit(1)


def _reap(child: int) -> int | None:
    """Reap whatever ended; the exit code of `child` when it was among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                ended = os.waitstatus_to_exitcode(status)
                code = ended if ended >= 0 else 128 - ended
    return code


def _works(trial: Callable[[], None]) -> bool:
    def run() -> NoReturn:
        with contextlib.suppress(OSError):
            trial()
            os._exit(0)
        os._exit(1)

    _, status = os.waitpid(fork_plain(run), 0)
    return status == 0


def _try_pid_namespace() -> None:
    kernel.unshare(kernel.CLONE_NEWPID)
    _try_fork()


def _try_user_namespace() -> None:
    _enter_user_namespace()
    _try_fork()


def _try_fork() -> None:
    def nothing() -> NoReturn:
        os._exit(0)

    os.waitpid(fork_plain(nothing), 0)
