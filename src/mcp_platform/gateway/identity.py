"""Who calls: from the credential of a request to a principal, its agent and what it may do. Pure over the snapshot."""

from collections.abc import Callable

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.apikeys import check as apikeys
from mcp_platform.features.apikeys.errors import CREDENTIAL_MISSING, KEY_INVALID
from mcp_platform.features.apikeys.model import KeyRow
from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.jwt.check import MAX_TOKEN_CHARACTERS
from mcp_platform.features.jwt.errors import TOKEN_INVALID
from mcp_platform.features.jwt.model import Token
from mcp_platform.features.rbac.check import Allowed
from mcp_platform.gateway.tokens import Bearer, Tokens, Verified
from mcp_platform.snapshot.model import Snapshot

_SCHEME = "bearer "
MAX_KNOWN_KEYS = 20_000
"""Keys whose holder one worker remembers, about 0.3 KiB each; one more, and all are worked out again."""


class Identity(msgspec.Struct, frozen=True):
    """Who calls, established for one request."""

    principal: PrincipalRow
    agent: str
    credential: str
    """Id of the key, or `issuer:` and the name of who issued the token; not secret."""
    allowed: Allowed
    token: Token | None = None
    """What the token says; None for a key."""
    until: float | None = None
    """When the credential expires, epoch seconds; None means never."""


class Authenticator:
    """Answers who calls under one snapshot. Made anew with each revision, so nothing it remembers can be stale."""

    def __init__(self, snapshot: Snapshot, mac_key: bytes, resource: str, verified: Verified) -> None:
        """`resource` is the URL of our MCP endpoint: the audience of tokens. `verified` outlives this snapshot."""
        self._snapshot = snapshot
        self._mac_key = mac_key
        self._tokens = Tokens(snapshot, mac_key, resource, verified)
        self._allowed: dict[tuple[tuple[str, ...], tuple[str, ...] | None], Allowed] = {}
        self._of_keys: dict[str, tuple[KeyRow, Identity]] = {}
        """Whose each key is, by its id. The key itself is checked with each request."""

    def identify(self, headers: dict[str, str], endpoint: str, now: float, guard: Callable[[], None]) -> Identity:
        """Who calls the endpoint of that name. Raises Fault(credential_missing, key_invalid, key_expired,
        token_invalid). `guard` is asked before a signature is verified and may raise: a key's check costs no more than
        that question, so keys do without."""
        text = bearer(headers)
        if not text.startswith(apikeys.PREFIX):
            bearing = self._tokens.bearer_of(text, now, guard)
            if not bearing.token.is_for(endpoint):
                raise Fault(TOKEN_INVALID)
            return self._of_token(bearing)
        known = self._of_keys.get(text[5:17])
        row = known[0] if known is not None else self._snapshot.key(text[5:17])
        sent = apikeys.mac(self._mac_key, text)
        if row is None:
            raise Fault(KEY_INVALID)
        wrong = apikeys.verify(row, sent, now)
        if wrong is not None:
            raise Fault(wrong)
        if known is not None:
            return known[1]
        principal = self._snapshot.principal(row.principal)
        if principal is None or principal.disabled:
            raise Fault(KEY_INVALID)
        allowed = self._allowed_of(principal.roles, row.scopes)
        identity = Identity(principal, row.agent, row.id, allowed, None, row.not_after)
        if len(self._of_keys) >= MAX_KNOWN_KEYS:
            self._of_keys.clear()
        self._of_keys[row.id] = (row, identity)
        return identity

    def still(self, identity: Identity, now: float) -> Identity | None:
        """The same caller under this snapshot, or None where the credential is no longer good."""
        if identity.token is not None:
            known = self._tokens.still(identity.token, now)
            return None if known is None else self._of_token(known)
        row = self._snapshot.key(identity.credential)
        if row is None or (row.not_after is not None and now >= row.not_after):
            return None
        principal = self._snapshot.principal(row.principal)
        if principal is None or principal.disabled:
            return None
        allowed = self._allowed_of(principal.roles, row.scopes)
        return Identity(principal, row.agent, row.id, allowed, None, row.not_after)

    def _of_token(self, known: Bearer) -> Identity:
        allowed = self._allowed_of(known.principal.roles, None)
        return Identity(known.principal, known.agent, known.credential, allowed, known.token, known.token.expires)

    def _allowed_of(self, roles: tuple[str, ...], scopes: tuple[str, ...] | None) -> Allowed:
        allowed = self._allowed.get((roles, scopes))
        if allowed is None:
            known = self._snapshot.roles
            rules = [rule for name in roles if name in known for rule in known[name].rules]
            allowed = self._allowed[roles, scopes] = Allowed.of(rules, scopes)
        return allowed


def bearer(headers: dict[str, str]) -> str:
    """The credential as it was sent: by its shape a key or a token. Raises Fault(credential_missing) where there is
    none, Fault(key_invalid, token_invalid) where it has the form of neither."""
    header = headers.get("authorization", "")
    if header[:7].lower() != _SCHEME:
        raise Fault(CREDENTIAL_MISSING)
    text = header[7:].strip()
    if text.startswith(apikeys.PREFIX):
        if len(text) != apikeys.KEY_CHARACTERS or not text.isascii():
            raise Fault(KEY_INVALID)
    elif "." not in text:
        raise Fault(KEY_INVALID)
    elif len(text) > MAX_TOKEN_CHARACTERS or text.count(".") != 2 or not text.isascii():
        raise Fault(TOKEN_INVALID)
    return text
