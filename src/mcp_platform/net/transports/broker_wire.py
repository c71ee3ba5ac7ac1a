"""What workers and the upstream-host ask of the broker (part of control), and the side that asks.

What comes back is plaintext credentials: it is kept in memory for a stated time and never written or logged.
A server that is being added, and is in no table yet, is asked for in the same way: the broker answers for it from
control's memory, so no process but control can name a command to start.
"""

import asyncio
from pathlib import Path
from typing import Protocol

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.net.client_trust import Trust
from mcp_platform.net.frames import LINK_CLOSED
from mcp_platform.net.transports.dial import Dialer
from mcp_platform.net.transports.model import Credentials, Launch, Target
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN

CREDENTIALS = "credentials"
LAUNCH = "launch"
RENEW = "renew"

_WAIT_S = 5.0
"""Seconds to wait for the broker's answer, a restart of control included (a second at most)."""
RENEW_WAIT_S = 3.0
"""Seconds that a request with an unknown key waits for the issuer's new ones."""
_MAX_KEPT = 10_000
"""Credentials in memory at once: (upstream, principal) pairs of a busy node, about 1 KiB each."""

CREDENTIAL_CACHE_S = 300.0
"""Seconds a process keeps an upstream's credentials in memory. A change of the server takes effect at once all the
same: they are kept by its version."""


class LaunchWire(msgspec.Struct):
    """How to start a stdio server."""

    argv: list[str]
    env: dict[str, str] = {}
    cwd: str | None = None
    name: str = ""
    """The server's name, for the log."""


class BrokerRequest(msgspec.Struct):
    """One question; `id` comes back in the reply, so that many can be under way on one connection."""

    id: int
    kind: str
    """`credentials` (HTTP headers), `launch` (argv, environment, folder) or `renew` (an issuer's keys)."""
    upstream: str
    """Whose: the upstream's id, or with `renew` the issuer's."""
    version: int
    principal: str | None = None


class BrokerReply(msgspec.Struct):
    """One answer."""

    id: int
    ok: bool
    headers: dict[str, str] = {}
    trust: Trust | None = None
    launch: LaunchWire | None = None
    error: str | None = None
    """A safe sentence, where `ok` is false."""


class CredentialSource(Protocol):
    """Who knows the headers an upstream wants. The broker in the data plane; control itself when it tries a server."""

    async def credentials(self, target: Target, principal: str | None) -> Credentials: ...

    def forget(self, target: Target, principal: str | None) -> None:
        """The upstream refused what was given: do not give the same from memory again."""


class BrokerClient:
    """The side that asks. Raises Fault(upstream_down) when the broker cannot be asked or says no."""

    def __init__(self, path: Path, cache_s: float = CREDENTIAL_CACHE_S) -> None:
        self._cache_s = cache_s
        self._kept: dict[tuple[str, int, str | None], tuple[float, Credentials]] = {}
        self._waiting: dict[int, asyncio.Future[BrokerReply]] = {}
        self._last_id = 0
        self._dialer: Dialer[BrokerReply] = Dialer(path, BrokerReply, self._on_reply, self._on_lost)

    async def credentials(self, target: Target, principal: str | None) -> Credentials:
        """The headers for `target`, from memory where they were fetched less than the set time ago."""
        if not target.has_credentials:
            return _NONE
        key = (target.id, target.version, principal)
        kept = self._kept.get(key)
        now = clock.monotonic()
        if kept is not None and kept[0] > now:
            return kept[1]
        reply = await self._ask(CREDENTIALS, target, principal)
        found = Credentials(headers=reply.headers, trust=reply.trust)
        while len(self._kept) >= _MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (now + self._cache_s, found)
        return found

    async def launch(self, target: Target) -> Launch:
        """How to start `target`; asked anew each time, because it holds secrets and a start is rare."""
        reply = await self._ask(LAUNCH, target, None)
        if reply.launch is None or not reply.launch.argv:
            raise Fault(UPSTREAM_DOWN, "The platform does not know how to start this MCP server.", {"stage": "start"})
        wire = reply.launch
        return Launch(argv=wire.argv, env=wire.env, cwd=wire.cwd, name=wire.name)

    async def renew(self, issuer: str) -> bool:
        """Have an issuer's keys fetched again, because a token names one that is not known here. True where that was
        done: the snapshot with what came of it is out. Raises nothing: who asks has a refusal ready."""
        try:
            reply = await self._ask_once(BrokerRequest(0, RENEW, issuer, 0), RENEW_WAIT_S)
        except Fault:
            return False
        return reply.ok

    def forget(self, target: Target, principal: str | None) -> None:
        self._kept.pop((target.id, target.version, principal), None)

    async def close(self) -> None:
        self._kept.clear()
        await self._dialer.close()

    async def _ask(self, kind: str, target: Target, principal: str | None) -> BrokerReply:
        """A question has no effect, so it is asked again when control was restarted in between."""
        deadline = clock.monotonic() + _WAIT_S
        while True:
            try:
                request = BrokerRequest(0, kind, target.id, target.version, principal)
                reply = await self._ask_once(request, deadline - clock.monotonic())
                break
            except Fault as fault:
                if fault.kind is not LINK_CLOSED or clock.monotonic() >= deadline:
                    raise Fault(UPSTREAM_DOWN, _UNREACHABLE, {"stage": "start"}) from fault
        if not reply.ok:
            raise Fault(UPSTREAM_DOWN, reply.error, {"stage": "auth" if kind == CREDENTIALS else "start"})
        return reply

    async def _ask_once(self, request: BrokerRequest, timeout_s: float) -> BrokerReply:
        stream = await self._dialer.stream(timeout_s)
        self._last_id += 1
        request.id = self._last_id
        waiting: asyncio.Future[BrokerReply] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = waiting
        try:
            stream.send(request)
            async with asyncio.timeout(timeout_s):
                return await waiting
        except TimeoutError:
            raise Fault(LINK_CLOSED) from None
        finally:
            del self._waiting[request.id]

    def _on_reply(self, reply: BrokerReply) -> None:
        waiting = self._waiting.get(reply.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def _on_lost(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Fault(LINK_CLOSED))


_NONE = Credentials()
_UNREACHABLE = "The part of the platform that keeps this server's credentials does not answer; try again shortly."
