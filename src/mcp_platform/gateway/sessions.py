"""Legacy sessions: a sealed id that carries the session's state, so that any worker can serve any request of it.

An id proves nothing about who holds it: each request authenticates anew, and the id must belong to that caller.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.gateway.errors import CLIENT_TOO_LARGE, SESSION_MISSING, SESSION_UNKNOWN
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.sealed import Seal
from mcp_platform.snapshot.model import SessionEnded

MAX_CLIENT_BYTES = 8192
"""Bytes of a client's capabilities and name: they travel in a header with every request, and Node's parser takes
16 KiB of headers."""
MAX_ENDED = 100_000
"""Ended sessions that a worker remembers; the oldest goes first."""


class Session(msgspec.Struct, frozen=True, array_like=True):
    """What `initialize` established."""

    principal: str
    agent: str
    version: str
    capabilities: bytes
    client_info: bytes
    born: float
    nonce: bytes
    endpoint: str = ""
    """Name of the endpoint where it began, and where alone it is good."""

    @property
    def mark(self) -> bytes:
        """Names the session without giving its id away."""
        return mark_of(self.nonce)


def mark_of(nonce: bytes) -> bytes:
    return hashlib.blake2b(nonce, digest_size=16).digest()


class Sessions:
    """Makes and opens session ids, and remembers which have ended."""

    def __init__(self, seal: Seal[Session], ttl_s: float) -> None:
        self._seal = seal
        self._ttl_s = ttl_s
        self._ended: OrderedDict[bytes, float] = OrderedDict()

    def begin(
        self,
        identity: Identity,
        endpoint: str,
        version: str,
        capabilities: bytes,
        client_info: bytes,
        suits: Callable[[bytes], bool] = lambda mark: True,
    ) -> str:
        """A new session's id, with a mark that `suits`. Raises Fault(client_account_too_large)."""
        if len(capabilities) + len(client_info) > MAX_CLIENT_BYTES:
            raise Fault(CLIENT_TOO_LARGE)
        while True:
            nonce = os.urandom(16)
            if suits(mark_of(nonce)):
                break
        principal, agent = identity.principal.id, identity.agent
        return self._seal.seal(
            Session(principal, agent, version, capabilities, client_info, clock.now(), nonce, endpoint)
        )

    def until(self, session: Session) -> float:
        """When it ends at the latest, epoch seconds."""
        return session.born + self._ttl_s

    def open(self, text: str | None, identity: Identity, endpoint: str) -> Session:
        """The session, if it is this caller's at this endpoint, and goes on. Raises Fault(session_missing,
        session_unknown)."""
        if text is None:
            raise Fault(SESSION_MISSING)
        session = self._seal.open(text)
        if session is None or clock.now() > self.until(session) or session.mark in self._ended:
            raise Fault(SESSION_UNKNOWN)
        whose = (identity.principal.id, identity.agent, endpoint)
        if (session.principal, session.agent, session.endpoint) != whose:
            raise Fault(SESSION_UNKNOWN)
        return session

    def end(self, session: Session) -> SessionEnded:
        """End it here; the mark is for the other workers."""
        ended = SessionEnded(session.mark, self.until(session))
        self.ended(ended)
        return ended

    def ended(self, ended: SessionEnded) -> None:
        """Some worker ended this session."""
        self._ended[ended.mark] = ended.until
        while len(self._ended) > MAX_ENDED or (self._ended and next(iter(self._ended.values())) < clock.now()):
            self._ended.popitem(last=False)

    def has_ended(self, mark: bytes) -> bool:
        return mark in self._ended

    def all_ended(self) -> list[SessionEnded]:
        """Every mark, for a control that was started anew."""
        return [SessionEnded(mark, until) for mark, until in self._ended.items()]


def capabilities_of(session: Session) -> dict[str, Any]:
    """The client's capabilities as a value."""
    value = msgspec.json.decode(session.capabilities)
    return value if isinstance(value, dict) else {}
