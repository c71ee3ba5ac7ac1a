"""Whether the platform serves: asked of the gateway's listener, as any client would."""

import socket
import time
from collections.abc import Callable

from mcp_platform.base import log
from mcp_platform.base.config import Settings
from mcp_platform.base.config.addresses import authority
from mcp_platform.base.config.settings import Console, Gateway
from mcp_platform.net import tls
from mcp_platform.supervisor import notify
from mcp_platform.supervisor.places import Place
from mcp_platform.supervisor.sockets import Ports

_PATIENCE_S = 0.25
"""Seconds that a question may hold the supervisor's loop."""
_ASK_EVERY_S = 0.05
_ASK_SLOWLY_S = 1.0
_SLOW_START_S = 15.0
"""Seconds after which a start that is not ready is told to the log once, and asked after less often."""

_log = log.Log("supervisor")


def is_ready(surface: Gateway | Console, address: str, port: int) -> bool:
    """True when GET /readyz is answered with 200. `address` is one of those that the setting `host` stands for."""
    host = surface.host
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104  # compared, not bound
    question = f"GET /readyz HTTP/1.1\r\nHost: {authority(host, port)}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((target, port), _PATIENCE_S) as sock:
            sock.settimeout(_PATIENCE_S)
            if surface.tls_certificate is None:
                return _asked(sock, question)
            with tls.for_own_readiness().wrap_socket(sock) as secured:
                return _asked(secured, question)
    except OSError:
        return False


def _asked(sock: socket.socket, question: str) -> bool:
    sock.sendall(question.encode())
    return sock.recv(64).startswith(b"HTTP/1.1 200")


class Readiness:
    """Asks until the answer is yes, then tells systemd and the command line, once."""

    def __init__(self, settings: Settings, ports: Ports, on_ready: Callable[[Ports], None] | None) -> None:
        self._settings = settings
        self._ports = ports
        self._on_ready = on_ready
        self._began = time.monotonic()
        self._told_slow = False
        self.due: float | None = 0.0
        """Monotonic time of the next question; None when there is nothing to ask any more."""

    @property
    def reached(self) -> bool:
        return self.due is None

    def ask_when_due(self, all_alive: bool) -> None:
        now = time.monotonic()
        if self.due is None or now < self.due:
            return
        if all_alive and self._answers("gateway"):
            self.due = None
            _log.info("platform_ready", after_s=round(time.monotonic() - self._began, 3))
            notify.ready()
            if self._on_ready is not None:
                self._on_ready(self._ports)
            return
        slow = now - self._began > _SLOW_START_S
        if slow and not self._told_slow:
            self._told_slow = True
            _log.warning("not_ready_yet", after_s=_SLOW_START_S)
        self.due = time.monotonic() + (_ASK_SLOWLY_S if slow else _ASK_EVERY_S)

    def settled(self, place: Place) -> bool:
        """Whether the process that newly fills `place` serves. With several workers any of them may answer: a new one
        gets a moment, and what it does not take yet waits in its socket."""
        if place.pid is None or time.monotonic() - place.started < _PATIENCE_S:
            return False
        return place.role.surface is None or self._answers(place.role.surface)

    def _answers(self, surface: str) -> bool:
        if surface == "console":
            return is_ready(self._settings.console, self._ports.console_addresses[0], self._ports.console)
        return is_ready(self._settings.gateway, self._ports.gateway_addresses[0], self._ports.gateway)
