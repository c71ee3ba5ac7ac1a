"""Legacy sessions: a sealed id that carries the session's state, so that any worker can serve any request of it.

An id proves nothing about who holds it: each request authenticates anew, and the id must belong to that caller.
"""

import hashlib
import os
from collections import OrderedDict
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

    @property
    def mark(self) -> bytes:
        """Names the session without giving its id away."""
        return hashlib.blake2b(self.nonce, digest_size=16).digest()


class Sessions:
    """Makes and opens session ids, and remembers which have ended."""

    def __init__(self, seal: Seal[Session], ttl_s: float) -> None:
        self._seal = seal
        self._ttl_s = ttl_s
        self._ended: OrderedDict[bytes, float] = OrderedDict()

    def begin(self, identity: Identity, version: str, capabilities: bytes, client_info: bytes) -> str:
        """A new session's id. Raises Fault(client_account_too_large)."""
        if len(capabilities) + len(client_info) > MAX_CLIENT_BYTES:
            raise Fault(CLIENT_TOO_LARGE)
        nonce = os.urandom(16)
        return self._seal.seal(
            Session(identity.principal.id, identity.agent, version, capabilities, client_info, clock.now(), nonce)
        )

    def open(self, text: str | None, identity: Identity) -> Session:
        """The session, if it is this caller's and goes on. Raises Fault(session_missing, session_unknown)."""
        if text is None:
            raise Fault(SESSION_MISSING)
        session = self._seal.open(text)
        if session is None or clock.now() > session.born + self._ttl_s or session.mark in self._ended:
            raise Fault(SESSION_UNKNOWN)
        if session.principal != identity.principal.id or session.agent != identity.agent:
            raise Fault(SESSION_UNKNOWN)
        return session

    def end(self, session: Session) -> SessionEnded:
        """End it here; the mark is for the other workers."""
        ended = SessionEnded(session.mark, session.born + self._ttl_s)
        self.ended(ended)
        return ended

    def ended(self, ended: SessionEnded) -> None:
        """Some worker ended this session."""
        self._ended[ended.mark] = ended.until
        while len(self._ended) > MAX_ENDED or (self._ended and next(iter(self._ended.values())) < clock.now()):
            self._ended.popitem(last=False)

    def all_ended(self) -> list[SessionEnded]:
        """Every mark, for a control that was started anew."""
        return [SessionEnded(mark, until) for mark, until in self._ended.items()]


def capabilities_of(session: Session) -> dict[str, Any]:
    """The client's capabilities as a value."""
    value = msgspec.json.decode(session.capabilities)
    return value if isinstance(value, dict) else {}
