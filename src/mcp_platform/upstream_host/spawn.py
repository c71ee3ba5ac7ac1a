"""Start a stdio server: an argv list, never a shell, in an environment that holds nothing of ours.

The child is bound to us between fork and exec (prctl PR_SET_PDEATHSIG), so it dies by the kernel's hand however we do.
That runs in `preexec_fn`, which is only unsafe where another thread may hold a lock at the fork: this process has one
thread. (util-linux's setpriv does the same after an exec of its own, but cannot notice a parent that died before.)
"""

import ctypes
import errno
import os
import pwd
import resource
import signal
import subprocess
import threading
from collections.abc import Callable

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault, define
from mcp_platform.net.transports.model import Launch
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN

ISOLATION_REQUIRED = define(
    "isolation_required",
    http=503,
    jsonrpc=-31511,
    text="Stdio servers may only start isolated (upstreams.require_isolation), and upstreams.isolation is `none`.",
    whose="platform",
)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Grandchildren whose parent died come to us (PR_SET_CHILD_SUBREAPER), so that we can end them."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def check_isolation(settings: Upstreams) -> None:
    """Raises Fault(isolation_required) where a server may not be started as things are."""
    if settings.require_isolation and settings.isolation == "none":
        raise Fault(ISOLATION_REQUIRED, data={"stage": "start", "setting": "upstreams.require_isolation"})


def environment(launch: Launch) -> dict[str, str]:
    """What a server sees: a minimum, and what its launch says. Nothing is inherited."""
    return {"PATH": PATH, "HOME": _home(), "LANG": "C.UTF-8", "TMPDIR": "/tmp", **launch.env}  # noqa: S108  # the system's own default, named for programs that insist


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"


def _bind_to(parent: int) -> Callable[[], None]:
    """What the child does before it becomes the server."""

    def bind() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # Without privileges to gain, no setuid program can shed the death signal or become one we may not kill.
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)  # we died between fork and prctl: no signal would come
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return bind


def spawn(launch: Launch) -> "subprocess.Popen[bytes]":
    """A running process in a session of its own, with pipes for all three streams. Raises Fault(upstream_down)."""
    assert threading.active_count() == 1, "preexec_fn is safe in a process of one thread only"
    home = _home()
    try:
        return subprocess.Popen(
            launch.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(launch),
            cwd=launch.cwd or (home if os.path.isdir(home) else "/"),
            start_new_session=True,
            close_fds=True,
            preexec_fn=_bind_to(os.getpid()),  # see the module's docstring
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        number = (error.errno if isinstance(error, OSError) else None) or errno.EINVAL
        says = "its arguments are not valid" if number == errno.EINVAL else os.strerror(number)
        text = f"The MCP server's command cannot be started: {says}. Check command and folder."
        reason = errno.errorcode.get(number, "EINVAL")
        raise Fault(UPSTREAM_DOWN, text, {"stage": "start", "reason": reason}) from error
