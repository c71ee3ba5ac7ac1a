"""Tells a SIGHUP that means "read the settings again" from one that means "your terminal is gone"."""

import os
import signal


class Terminal:
    """The terminal that we were started from, if any; `nohup` says that we should outlive it."""

    def __init__(self) -> None:
        self._had_one = _has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN

    def is_gone(self) -> bool:
        return self._had_one and not _has_terminal()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
