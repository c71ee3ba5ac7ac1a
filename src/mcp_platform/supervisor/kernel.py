"""The calls to Linux that Python 3.11 does not offer. Each raises OSError; none decides anything."""

import ctypes
import os
import struct

CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _prctl(option: int, value: int) -> None:
    rest = (ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    _checked(_libc.prctl(option, ctypes.c_ulong(value), *rest))


def die_with_parent(signal_number: int) -> None:
    """Have this process sent `signal_number` when the thread that forked it ends. Lost on a change of user."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges() -> None:
    """From here on no program that is started gains rights (set-user-id, file capabilities)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def set_dumpable(dumpable: bool) -> None:
    """False: other processes of the same user may not read this one's memory, and it leaves no core file."""
    _prctl(_PR_SET_DUMPABLE, int(dumpable))


def set_name(name: str) -> None:
    """The name that `ps -c` and `top` show; 15 bytes at most."""
    buffer = ctypes.create_string_buffer(name.encode()[:15])
    _checked(_libc.prctl(_PR_SET_NAME, buffer, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def unshare(flags: int) -> None:
    """Leave namespaces. With CLONE_NEWPID it is the next child that stands in the new one, as its process 1."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def enter_namespace(handle: int, kind: int) -> None:
    _checked(_libc.setns(ctypes.c_int(handle), ctypes.c_int(kind)))


def drop_capabilities() -> None:
    """Give up every capability of this process; used where a user namespace handed out all of them."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(bytes(24))
    _checked(_libc.capset(header, nothing))
