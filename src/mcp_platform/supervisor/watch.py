"""The supervisor's loop: fills every place, and again when its process died; reloads, and ends all in order.

It has no thread and no event loop: what it forks must be whole. It waits in one call, for a signal or for a time.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from mcp_platform.base import log
from mcp_platform.base.config import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.net.inherit import Inherited
from mcp_platform.supervisor import children, descendants, notify, status
from mcp_platform.supervisor.containment import Containment
from mcp_platform.supervisor.drain import drain, kill_late, seconds_to_end
from mcp_platform.supervisor.errors import START_FAILED
from mcp_platform.supervisor.kept_limits import KeptLimits
from mcp_platform.supervisor.places import Place
from mcp_platform.supervisor.ready import Readiness
from mcp_platform.supervisor.reload import plan
from mcp_platform.supervisor.restart import MOST_FAILED_STARTS
from mcp_platform.supervisor.roll import Roll
from mcp_platform.supervisor.short_lived import ask
from mcp_platform.supervisor.terminal import Terminal

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1}
"""Blocked from before the first fork, and taken one by one. SIGUSR1 does nothing."""

_log = log.Log("supervisor")


@dataclass(slots=True)
class Supervisor:
    """All processes of one platform."""

    world: Inherited
    places: list[Place]
    containment: Containment
    write_end: int
    """Our end of the lifeline: nobody else may hold it."""
    readiness: Readiness
    terminal: Terminal
    kept: KeptLimits
    forget: Callable[[int], None]
    """Called with the slot of a worker that ended: what it held in shared memory is free again."""
    reload: Callable[[], Settings] | None = None
    _roll: Roll | None = None
    """The processes that a reload has still to replace."""
    _verdict: int | None = None
    _failure: Fault | None = None

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until a process says that the configuration will never do. An exit code.

        Raises Fault(start_failed).
        """
        self._fill_due()
        while self._verdict is None:
            taken = signal.sigtimedwait(SIGNALS, self._patience_s())
            number = taken.si_signo if taken is not None else None
            if number in (signal.SIGTERM, signal.SIGINT) or (number == signal.SIGHUP and self.terminal.is_gone()):
                break
            if number == signal.SIGHUP:
                self._take_settings()
            self._reap()
            kill_late(self.places)
            self._fill_due()
            self._go_on_rolling()
            self.readiness.ask_when_due(all(place.pid is not None for place in self.places))
            self.kept.save_when_due()
        notify.stopping()
        drain(self.places, self.world, self._reap)
        if self.containment is Containment.SUBREAPER:
            descendants.clear()
        if self._failure is not None:
            raise self._failure
        return self._verdict or 0

    def _patience_s(self) -> float:
        times = [self.kept.due, self.readiness.due if self._roll is None else time.monotonic() + 0.05]
        for place in self.places:
            times += [place.due, place.kill_at]
        return max(0.0, min((when for when in times if when is not None), default=1e9) - time.monotonic())

    def _fill_due(self) -> None:
        now = time.monotonic()
        due = [place for place in self.places if place.due is not None and place.due <= now]
        for place in due:
            place.filled(children.fork(place.role, place.slot, self.world, self.write_end, self.containment))
            _log.info("process_started", started=place.name, process_id=place.pid, restarts=place.restarts)
        if due:
            self._tell_status()

    def _reap(self) -> None:
        """Take note of every process that ended, ours or an orphan that came to us."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                for place in self.places:
                    if place.pid == pid:
                        self._ended(place, os.waitstatus_to_exitcode(wait_status))
        if self.containment is Containment.SUBREAPER:
            descendants.kill_strangers([place.pid for place in self.places])

    def _ended(self, place: Place, code: int) -> None:
        asked = place.kill_at is not None
        pid, delay_s = place.pid, place.emptied()
        if place.slot is not None:
            self.forget(place.slot)
        if asked:
            _log.info("process_ended", ended=place.name, process_id=pid, exit_code=code)
        else:
            _log.warning("process_died", died=place.name, process_id=pid, exit_code=code, restart_in_s=delay_s)
        if not self.readiness.reached:
            self._judge_start(place, code)
        self._tell_status()

    def _judge_start(self, place: Place, code: int) -> None:
        if code == children.EXIT_CONFIGURATION:
            self._verdict = code
        elif place.deaths >= MOST_FAILED_STARTS:
            self._verdict = children.EXIT_FAILED
            text = (
                f"The process {place.name} ended each time it was started, so the platform is not ready; see its log."
            )
            self._failure = Fault(START_FAILED, text, {"process": place.name})

    def _tell_status(self) -> None:
        try:
            status.write_processes(self.world.data, self.containment, self.places)
        except OSError as error:
            _log.warning("status_not_written", reason=error.strerror)

    def _take_settings(self) -> None:
        """Begin to follow a changed configuration, or keep the old one and say why."""
        if self.reload is None:
            return
        try:
            new = plan(self.world.settings, self.reload())
            ask("mcp_platform.supervisor.tls_pairs:check", self.world.data, new.settings)
        except Fault as fault:
            _log.error("reload_refused", code=fault.kind.code, text=fault.text, data=fault.data)
            return
        for name in new.needs_restart:
            _log.warning("setting_needs_restart", setting=name)
        self.world.settings = new.settings
        replaced = [place for place in self.places if new.changed & place.role.topics]
        _log.info("reloading", changed=sorted(new.changed), replaces=[place.name for place in replaced])
        notify.reloading()
        self._roll = Roll(replaced)

    def _go_on_rolling(self) -> None:
        if self._roll is None:
            return
        if not self._roll.step(self._ask_to_end, self.readiness.settled):
            _log.info("reloaded")
        elif self._roll.is_stuck and self._roll.current is not None:
            _log.error("reload_stopped", at=self._roll.current.name)
        else:
            return
        self._roll = None
        notify.ready()

    def _ask_to_end(self, place: Place) -> float:
        within_s = seconds_to_end(place.role, self.world.settings)
        place.ask_to_end(within_s)
        return within_s
