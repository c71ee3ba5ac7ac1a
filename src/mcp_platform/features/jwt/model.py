"""Trusted issuers of tokens as a worker knows them: public keys, and what of a token's claims means what here."""

import hashlib

import msgspec


class IssuerKey(msgspec.Struct, frozen=True, array_like=True):
    """One key that an issuer signs with, checked by control before it came here."""

    kid: str | None
    algorithms: tuple[str, ...]
    """What it may be used with: what fits its type and curve, what the issuer is allowed, and what it says itself."""
    jwk: bytes
    """The public JWK: JSON of the members that make the key, and no others."""


class IssuerRow(msgspec.Struct, frozen=True, array_like=True):
    """One trusted issuer."""

    id: str
    name: str
    url: str
    """What `iss` must be, character by character."""
    audiences: tuple[str, ...]
    """Of which `aud` must hold one; empty: the URL of our own MCP endpoint."""
    types: tuple[str, ...]
    """What `typ` may be, lower case, without `application/`."""
    keys: tuple[IssuerKey, ...]
    renewable: bool
    """True where control can be asked to fetch the keys again."""
    secret: bytes | None
    """For HS256: the shared secret, sealed for the workers."""
    leeway_s: float
    max_life_s: float
    roles_claim: str | None
    role_map: dict[str, tuple[str, ...]]
    """Value of the claim → roles here. What is not listed means nothing."""
    default_roles: tuple[str, ...]
    links: dict[str, str]
    """Subject → id of the stored principal that it is."""
    revoked_tokens: dict[str, float]
    """`jti` → when every token of that id has expired."""
    revoked_subjects: dict[str, float]
    """`sub` → its tokens that were issued before this moment are refused."""


class Token(msgspec.Struct, frozen=True):
    """What a verified token says, and by what it was verified."""

    issuer: str
    """Issuer id."""
    key: bytes
    """The JWK that verified it; empty for a shared secret."""
    algorithm: str
    subject: str
    client: str | None
    """`client_id` or `azp`: who was given the token."""
    actor: str | None
    """`act.sub`: who acts for the subject (RFC 8693 §4.1)."""
    id: str | None
    """`jti`."""
    issued: float | None
    expires: float
    roles: tuple[str, ...]
    """Roles here that its claims stand for, the issuer's defaults included; sorted."""
    only: frozenset[str] | None = None
    """Names of the virtual servers that it is for and for nothing else; None: it is for every endpoint."""

    def is_for(self, endpoint: str) -> bool:
        """Whether it may be used at the endpoint of that name; the empty name is `/mcp`."""
        return self.only is None or endpoint in self.only


def principal_id(issuer_url: str, subject: str) -> str:
    """The id of the principal that a subject is: the same on every worker, with nothing stored."""
    digest = hashlib.blake2b(
        f"{len(issuer_url)}:{issuer_url}{subject}".encode(), digest_size=14, person=b"mcpp subject"
    )
    return f"ext_{digest.hexdigest()}"
