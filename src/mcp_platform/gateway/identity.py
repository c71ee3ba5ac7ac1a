"""Who calls: from the credential of a request to a principal, its agent and what it may do. Pure over the snapshot."""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.apikeys import check as apikeys
from mcp_platform.features.apikeys.errors import CREDENTIAL_MISSING, KEY_INVALID
from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.rbac.check import Allowed
from mcp_platform.snapshot.model import Snapshot

_SCHEME = "bearer "


class Identity(msgspec.Struct, frozen=True):
    """Who calls, established for one request."""

    principal: PrincipalRow
    agent: str
    credential: str
    """Id of the key; not secret."""
    allowed: Allowed


class Authenticator:
    """Answers who calls under one snapshot. Made anew with each revision, so nothing it remembers can be stale."""

    def __init__(self, snapshot: Snapshot, mac_key: bytes) -> None:
        self._snapshot = snapshot
        self._mac_key = mac_key
        self._allowed: dict[tuple[tuple[str, ...], tuple[str, ...] | None], Allowed] = {}

    def identify(self, headers: dict[str, str], now: float) -> Identity:
        """Raises Fault(credential_missing, key_invalid, key_expired)."""
        text = bearer(headers)
        row = self._snapshot.key(text[5:17])
        sent = apikeys.mac(self._mac_key, text)
        if row is None:
            raise Fault(KEY_INVALID)
        wrong = apikeys.verify(row, sent, now)
        if wrong is not None:
            raise Fault(wrong)
        principal = self._snapshot.principal(row.principal)
        if principal is None or principal.disabled:
            raise Fault(KEY_INVALID)
        allowed = self._allowed_of(principal.roles, row.scopes)
        return Identity(principal, row.agent, row.id, allowed)

    def still(self, identity: Identity, now: float) -> Identity | None:
        """The same caller under this snapshot, or None where the credential is no longer good."""
        row = self._snapshot.key(identity.credential)
        if row is None or (row.not_after is not None and now >= row.not_after):
            return None
        principal = self._snapshot.principal(row.principal)
        if principal is None or principal.disabled:
            return None
        return Identity(principal, row.agent, row.id, self._allowed_of(principal.roles, row.scopes))

    def _allowed_of(self, roles: tuple[str, ...], scopes: tuple[str, ...] | None) -> Allowed:
        allowed = self._allowed.get((roles, scopes))
        if allowed is None:
            known = self._snapshot.roles
            rules = [rule for name in roles if name in known for rule in known[name].rules]
            allowed = self._allowed[roles, scopes] = Allowed.of(rules, scopes)
        return allowed


def bearer(headers: dict[str, str]) -> str:
    """The credential as it was sent. Raises Fault(credential_missing) where there is none, Fault(key_invalid) where it
    has not the form of a key."""
    header = headers.get("authorization", "")
    if header[:7].lower() != _SCHEME:
        raise Fault(CREDENTIAL_MISSING)
    text = header[7:].strip()
    if len(text) != apikeys.KEY_CHARACTERS or not text.isascii() or not text.startswith(apikeys.PREFIX):
        raise Fault(KEY_INVALID)
    return text
