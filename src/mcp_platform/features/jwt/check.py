"""Tokens (JWS, RFC 7515 and 7519; access tokens as RFC 9068 has them): whose they are and whether they are good now.

Pure; runs on every request that is not remembered. Of a header nothing is believed but `alg`, `typ` and `kid`, and
those only where the issuer's row allows them; no key ever comes from a token. Signatures are joserfc's work.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from mcp_platform.base.errors import Fault
from mcp_platform.features.jwt.model import IssuerKey, IssuerRow, Token
from mcp_platform.wire import json_text

MAX_TOKEN_CHARACTERS = 16 * 1024
"""Characters. Tokens with hundreds of groups stay under 8 KiB; the header ceiling of a request is 32 KiB."""
MAX_NAME_CHARACTERS = 255
"""Characters of `sub`, `jti`, `client_id`, `azp` and a role: OpenID Connect Core §2 allows 255 in `sub`."""
MAX_KID_CHARACTERS = 256
MAX_LISTED = 256
"""Values of `aud` or of the roles claim that are read."""
MAX_TIME = float(1 << 40)
"""Seconds since the epoch; later is no moment but a mistake."""
RECOMMENDED = ("EdDSA", "Ed25519", "ES256", "ES384", "PS256", "RS256")
"""Allowed where nothing else is said. ES512, PS384, PS512, RS384 and RS512 can be allowed by name."""
SHARED = "HS256"
"""The one algorithm with a shared secret; it is never allowed beside public keys."""
FITS: Mapping[str, tuple[str, str]] = {
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "PS256": ("RSA", ""),
    "PS384": ("RSA", ""),
    "PS512": ("RSA", ""),
    "RS256": ("RSA", ""),
    "RS384": ("RSA", ""),
    "RS512": ("RSA", ""),
}
"""Algorithm → type and curve of the keys it may be used with."""
_BY_TYPE: Mapping[str, type[ECKey | OKPKey | RSAKey]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
_MODELS = {name: JWSRegistry.algorithms[name] for name in (*FITS, SHARED)}
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_ENDPOINT = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
"""A virtual server's name."""
_REFUSED_HEADERS = frozenset({"b64", "crit", "cty", "jku", "jwk", "x5c", "x5u"})
"""Parameters that would choose the key, change what is signed, or make the content another token. Others mean nothing
to us and are ignored, as RFC 7515 §4 demands."""


class Refused(Exception):
    """A token is not accepted. `why` is for the log alone."""

    def __init__(self, why: str, renew: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.renew = renew
        """Id of the issuer that may have a newer key, where that is why."""


class Forged(Refused):
    """The signature is of none of the issuer's keys: as long as those stay, the token is never accepted."""


def resource_of(public_url: str | None, host: str, port: int) -> str:
    """The URL of our MCP endpoint, as tokens name it in `aud` (RFC 8707): no slash at its end."""
    named = f"[{host}]" if ":" in host else host
    return f"{(public_url or f'http://{named}:{port}').rstrip('/')}/mcp"


def has_form(text: str) -> bool:
    """True where `text` could be a token: three parts of base64url and no longer than the ceiling."""
    return len(text) <= MAX_TOKEN_CHARACTERS and _FORM.fullmatch(text) is not None


class Issuers:
    """The trusted issuers of one snapshot."""

    def __init__(self, rows: Iterable[IssuerRow], resource: str, secret_of: Callable[[IssuerRow], bytes]) -> None:
        """`resource` is the audience of issuers that have none of their own; `secret_of` opens a sealed secret."""
        self._by_url = {row.url: row for row in rows}
        self._by_id = {row.id: row for row in self._by_url.values()}
        self._resource = resource
        self._secret_of = secret_of

    def get(self, issuer_id: str) -> IssuerRow | None:
        return self._by_id.get(issuer_id)

    def verify(self, text: str, now: float, guard: Callable[[], None] = lambda: None) -> tuple[IssuerRow, Token]:
        """Whose token this is. The cheap questions come before the signature; nothing is believed before it. `guard` is
        asked between them, and may raise. Raises Refused; Forged where the signature is wrong."""
        if not has_form(text):
            raise Refused("form")
        signed, _, signature = text.rpartition(".")
        head, _, body = signed.partition(".")
        header, claims = _object(head, "header"), _object(body, "payload")
        issuer = self._issuer_of(claims)
        algorithm, kid = _read_header(header, issuer)
        token = self._read_claims(claims, issuer, now)
        guard()
        jwk = b"" if issuer.secret is not None else _choose(issuer, algorithm, kid).jwk
        key = load(jwk) if jwk else _shared_key(self._secret_of(issuer))
        if not _is_signed(algorithm, signed.encode(), _decoded(signature), key):
            raise Forged("signature")
        token = msgspec.structs.replace(token, key=jwk, algorithm=algorithm)
        self.admit(token, issuer, now)
        return issuer, token

    def admit(self, token: Token, issuer: IssuerRow, now: float) -> None:
        """Whether a token that was verified is still good. Raises Refused."""
        if now >= token.expires:
            raise Refused("expired")
        if token.id is not None and token.id in issuer.revoked_tokens:
            raise Refused("revoked by jti")
        before = issuer.revoked_subjects.get(token.subject)
        if before is not None and (token.issued is None or token.issued <= before):
            raise Refused("revoked by sub")
        if token.key and not any(key.jwk == token.key and token.algorithm in key.algorithms for key in issuer.keys):
            raise Refused("key removed")

    def _issuer_of(self, claims: dict[str, Any]) -> IssuerRow:
        url = claims.get("iss")
        issuer = self._by_url.get(url) if isinstance(url, str) else None
        if issuer is None:
            raise Refused("iss")
        return issuer

    def _meant_for(self, claims: dict[str, Any], issuer: IssuerRow) -> frozenset[str] | None:
        """Which virtual servers a token is for alone; None: every endpoint. One for `/mcp` opens virtual servers too,
        which offer nothing that `/mcp` does not; one for `/mcp/NAME` opens that and no other (RFC 8707)."""
        named = _texts(claims.get("aud"), "aud")
        if any(each in (issuer.audiences or (self._resource,)) for each in named):
            return None
        below = f"{self._resource}/"
        names = frozenset(
            name for each in named if each.startswith(below) and _ENDPOINT.fullmatch(name := each.removeprefix(below))
        )
        if issuer.audiences or not names:
            raise Refused("aud")
        return names

    def _read_claims(self, claims: dict[str, Any], issuer: IssuerRow, now: float) -> Token:
        only = self._meant_for(claims, issuer)
        expires = _moment(claims, "exp")
        if expires is None or now >= expires:
            raise Refused("exp")
        issued = _moment(claims, "iat")
        for name, at in (("nbf", _moment(claims, "nbf")), ("iat", issued)):
            if at is not None and at > now + issuer.leeway_s:
                raise Refused(name)
        if expires - (now if issued is None else issued) > issuer.max_life_s:
            raise Refused("life")
        subject = _name(claims, "sub")
        if subject is None:
            raise Refused("sub")
        return Token(
            issuer=issuer.id,
            key=b"",
            algorithm="",
            subject=subject,
            client=_client_of(claims),
            actor=_actor_of(claims),
            id=_name(claims, "jti"),
            issued=issued,
            expires=expires,
            roles=_roles_of(claims, issuer),
            only=only,
        )


def seal_key(mac_key: bytes) -> bytes:
    """The key under which secrets of issuers are sealed for the workers: 32 bytes made from the worker secret."""
    return hashlib.blake2b(b"", key=mac_key, digest_size=32, person=b"mcpp hs256 seal").digest()


@lru_cache(maxsize=1024)
def load(jwk: bytes) -> ECKey | OKPKey | RSAKey:
    """A public key, ready to verify with. Kept, because loading one takes as long as verifying with it."""
    members: dict[str, Any] = msgspec.json.decode(jwk)
    return _BY_TYPE[members["kty"]].import_key(members)


@lru_cache(maxsize=64)
def _shared_key(secret: bytes) -> OctKey:
    return OctKey.import_key(secret)


def _is_signed(algorithm: str, signed: bytes, signature: bytes, key: Any) -> bool:  # noqa: ANN401  # joserfc's own kinds
    model = _MODELS[algorithm]
    try:
        model.check_key(key)
        return bool(model.verify(signed, signature, key))
    except (JoseError, ValueError):
        return False


def _read_header(header: dict[str, Any], issuer: IssuerRow) -> tuple[str, str | None]:
    """Algorithm and key id. Raises Refused."""
    if not _REFUSED_HEADERS.isdisjoint(header):
        raise Refused("header parameter")
    algorithm = header.get("alg")
    allowed = (SHARED,) if issuer.secret is not None else FITS
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise Refused("alg")
    kind = header.get("typ")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in issuer.types:
        raise Refused("typ")
    kid = header.get("kid")
    if "kid" in header and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARACTERS):
        raise Refused("kid")
    return algorithm, kid


def _choose(issuer: IssuerRow, algorithm: str, kid: str | None) -> IssuerKey:
    """The one key of this issuer that may have signed. Raises Refused."""
    if kid is None:
        fitting = [key for key in issuer.keys if algorithm in key.algorithms]
        if len(fitting) != 1:
            raise Refused("no kid")
        return fitting[0]
    named = [key for key in issuer.keys if key.kid == kid]
    for key in named:
        if algorithm in key.algorithms:
            return key
    if named:
        raise Refused("alg of the key")
    raise Refused("kid unknown", renew=issuer.id if issuer.renewable else None)


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        value = json_text.decode(_decoded(part))
    except Fault as fault:
        raise Refused(f"{what}: {fault.kind.code}") from None
    if not isinstance(value, dict):
        raise Refused(what)
    return value


def _decoded(part: str) -> bytes:
    """base64url without padding, in the one spelling that RFC 4648 §3.5 leaves. Raises Refused."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise Refused("base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part.encode():
        raise Refused("base64url")
    return data


def _texts(value: object, what: str) -> list[str]:
    """A string, or a short list of strings. Raises Refused."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > MAX_LISTED:
        raise Refused(what)
    if not all(isinstance(each, str) for each in values):
        raise Refused(what)
    return values


def _moment(claims: dict[str, Any], name: str) -> float | None:
    """A NumericDate; None where there is none. Raises Refused."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TIME:
        raise Refused(name)
    return float(value)


def _name(claims: dict[str, Any], name: str) -> str | None:
    """A claim that names somebody or something; None where there is none. Characters that cannot be seen, or that turn
    text around, have no place in a name. Raises Refused."""
    if name not in claims:
        return None
    value = claims[name]
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_CHARACTERS or not value.isprintable():
        raise Refused(name)
    return value


def _client_of(claims: dict[str, Any]) -> str | None:
    """`client_id` (RFC 9068) or `azp` (OpenID Connect); where both stand they must agree."""
    named, party = _name(claims, "client_id"), _name(claims, "azp")
    if named is not None and party is not None and named != party:
        raise Refused("client_id and azp")
    return named or party


def _actor_of(claims: dict[str, Any]) -> str | None:
    """The current actor is the outermost; those inside it are history (RFC 8693 §4.1)."""
    if "act" not in claims:
        return None
    actor = claims["act"]
    name = _name(actor, "sub") if isinstance(actor, dict) else None
    if name is None:
        raise Refused("act")
    return name


def _roles_of(claims: dict[str, Any], issuer: IssuerRow) -> tuple[str, ...]:
    """The roles here: the issuer's defaults, and what the map makes of the roles claim."""
    found = set(issuer.default_roles)
    value = _at(claims, issuer.roles_claim) if issuer.roles_claim else None
    if value is not None:
        said = value.split() if isinstance(value, str) else _texts(value, "roles")
        for each in said[:MAX_LISTED]:
            found.update(issuer.role_map.get(each, ()))
    return tuple(sorted(found))


def _at(claims: dict[str, Any], path: str) -> object:
    """The claim of that very name, or else the one that a dotted path leads to (`realm_access.roles`)."""
    if path in claims:
        return claims[path]
    value: object = claims
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
