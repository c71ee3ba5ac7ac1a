"""Callers who come with a token: its signature is verified once, whether it is good now is asked of every snapshot.

What was wrong with a token stands in the log; its bearer is told one thing, and the token itself is never written.
"""

import hashlib
from collections.abc import Callable
from typing import TypeVar

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.features.identity.model import TENANT, PrincipalRow
from mcp_platform.features.jwt.check import Forged, Issuers, Refused, seal_key
from mcp_platform.features.jwt.errors import TOKEN_INVALID
from mcp_platform.features.jwt.model import IssuerRow, Token, principal_id
from mcp_platform.features.vault.check import place, unseal
from mcp_platform.snapshot.model import Snapshot

MAX_REMEMBERED = 10_000
"""Tokens of one worker, about 2 KiB each, and marks of forged ones, 0.2 KiB each. One more makes the oldest be verified
again."""
MAX_LINES_PER_S = 10
"""Lines about refused tokens in one second of one worker: whoever sends bad ones must not fill the disk."""
V = TypeVar("V")
log = Log(__name__)


class KeyUnknown(Fault):
    """A token names a key that its issuer may have published since."""

    def __init__(self, issuer: str) -> None:
        super().__init__(TOKEN_INVALID)
        self.issuer = issuer


class SignatureDue(Exception):
    """All that can be known of a token without verifying its signature is good, and its address has failed too often
    for that to be done at once."""


class Bearer(msgspec.Struct, frozen=True):
    """Who a token stands for."""

    issuer: IssuerRow
    token: Token
    principal: PrincipalRow
    """With the roles that the token and, where its subject is linked to a stored principal, that one has."""
    agent: str
    credential: str
    """For the log: `issuer:` and its name."""


Verified = dict[bytes, Token]
"""Mark → what a token says whose signature was verified by this worker, under any snapshot. That stays true for ever;
whether it is still good does not."""


class Tokens:
    """Knows bearers under one snapshot. Made anew with each revision, so no bearer it remembers can be stale."""

    def __init__(self, snapshot: Snapshot, mac_key: bytes, resource: str, verified: Verified) -> None:
        self._snapshot = snapshot
        self._mac_key = mac_key
        self._marks = hashlib.blake2b(key=mac_key, digest_size=16, person=b"mcpp seen token")
        self._issuers = Issuers(snapshot.issuers, resource, self._secret_of)
        self._known: dict[bytes, Bearer] = {}
        self._forged: dict[bytes, None] = {}
        """Marks of tokens that nobody of these issuers signed: to send one again costs us no signature."""
        self._verified = verified
        self._lines = (0.0, 0)

    def bearer_of(self, text: str, now: float, guard: Callable[[], None]) -> Bearer:
        """Raises Fault(token_invalid), KeyUnknown where a newer key of the issuer may help, and what `guard` raises: it
        is asked before a signature is verified, when everything else is good."""
        marking = self._marks.copy()
        marking.update(text.encode())
        mark = marking.digest()
        known = self._known.get(mark)
        if known is not None and now < known.token.expires:
            return known
        bearer = self._again(mark, now)
        if bearer is None:
            bearer = self._verify(mark, text, now, guard)
        _remember(self._known, mark, bearer)
        return bearer

    def _again(self, mark: bytes, now: float) -> Bearer | None:
        """The bearer of a token whose signature an earlier snapshot's key verified, if it is good under this one."""
        token = self._verified.get(mark)
        return None if token is None else self.still(token, now)

    def _verify(self, mark: bytes, text: str, now: float, guard: Callable[[], None]) -> Bearer:
        if mark in self._forged:
            raise Fault(TOKEN_INVALID)
        try:
            issuer, token = self._issuers.verify(text, now, guard)
        except Refused as refused:
            self._tell(refused.why)
            if isinstance(refused, Forged):
                _remember(self._forged, mark, None)
            if refused.renew is not None:
                raise KeyUnknown(refused.renew) from None
            raise Fault(TOKEN_INVALID) from None
        bearer = self._bearer(issuer, token)
        if bearer is None:
            self._tell("principal disabled")
            raise Fault(TOKEN_INVALID)
        _remember(self._verified, mark, token)
        return bearer

    def still(self, token: Token, now: float) -> Bearer | None:
        """The bearer of a token that an earlier snapshot verified, or None where it is no longer good."""
        issuer = self._issuers.get(token.issuer)
        if issuer is None:
            return None
        try:
            self._issuers.admit(token, issuer, now)
        except Refused:
            return None
        return self._bearer(issuer, token)

    def _bearer(self, issuer: IssuerRow, token: Token) -> Bearer | None:
        """None where the subject is a stored principal that is disabled."""
        name = f"{issuer.name}:{token.subject}"
        party = token.actor or token.client
        agent = name if party is None else f"{issuer.name}:{party}"
        credential = f"issuer:{issuer.name}"
        linked = issuer.links.get(token.subject)
        if linked is None:
            kind = "service" if token.client == token.subject else "person"
            principal = PrincipalRow(principal_id(issuer.url, token.subject), name, kind, TENANT, token.roles)
            return Bearer(issuer, token, principal, agent, credential)
        stored = self._snapshot.principal(linked)
        if stored is None or stored.disabled:
            return None
        roles = tuple(sorted({*stored.roles, *token.roles}))
        return Bearer(issuer, token, msgspec.structs.replace(stored, roles=roles), agent, credential)

    def _secret_of(self, issuer: IssuerRow) -> bytes:
        try:
            return unseal(seal_key(self._mac_key), issuer.secret or b"", place("issuers", issuer.id, "secret"))
        except Fault as fault:
            log.error("issuer_secret_unusable", issuer=issuer.name, code=fault.kind.code)
            raise Refused("secret") from None

    def _tell(self, why: str) -> None:
        now = clock.monotonic()
        began, lines = self._lines
        if now - began >= 1:
            began, lines = now, 0
        self._lines = (began, lines + 1)
        if lines < MAX_LINES_PER_S:
            log.info("token_refused", why=why)


def _remember(known: dict[bytes, V], mark: bytes, value: V) -> None:
    if len(known) >= MAX_REMEMBERED:
        del known[next(iter(known))]
    known[mark] = value
