"""What an operator may say about an issuer, checked before anything is stored or fetched."""

import re
from urllib.parse import urlsplit

import msgspec

from mcp_platform.base.errors import INVALID, NOT_FOUND, Fault
from mcp_platform.features.jwt.check import FITS, MAX_NAME_CHARACTERS, RECOMMENDED, SHARED
from mcp_platform.features.jwt.errors import ISSUER_URL_INSECURE
from mcp_platform.features.jwt.tables import Policy
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.features.rbac.tables import role_exists
from mcp_platform.store.action import Context
from mcp_platform.store.permission import Permission
from mcp_platform.store.unit import Unit

STRICT_TYPES = ("at+jwt",)
"""An access token says that it is one (RFC 9068 §2.1), so that an ID token or any other is never taken for it."""
LEEWAY_S = 30.0
MAX_LEEWAY_S = 60.0
"""Seconds that clocks may differ: OWASP ASVS 5.0 V9.2.1 has a minute at most."""
MAX_LIFE_S = 86400.0
"""Seconds from issue to expiry, unless an issuer is allowed another: a stolen token is good for a day at most."""
LONGEST_LIFE_S = 31 * 86400.0
REFRESH_S = 300.0
MIN_REFRESH_S = 10.0
MAX_REFRESH_S = 86400.0
"""Seconds: a key that the issuer removes is trusted for a day at most."""
MIN_SECRET_BYTES = 32
"""RFC 7518 §3.2: as long as the hash."""
MAX_LISTED = 256
_ISSUER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_URL = re.compile(r"https?://[!-~]{1,1000}", re.ASCII)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class NewIssuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An identity provider to trust, and where its keys are: exactly one of keys_url, keys and secret."""

    name: str
    url: str
    """What `iss` of its tokens is, character by character."""
    audiences: tuple[str, ...] = ()
    """Of which `aud` must hold one; none: the URL of our own MCP endpoint."""
    algorithms: tuple[str, ...] = ()
    """None: the recommended ones."""
    types: tuple[str, ...] = STRICT_TYPES
    """What `typ` may be."""
    keys_url: str | None = None
    keys: str | None = None
    """A key set (RFC 7517) as JSON."""
    secret: str | None = None
    """For HS256 alone."""
    authority: str | None = None
    """PEM: certificates of who may vouch for keys_url, instead of the system's."""
    refresh_s: float = REFRESH_S
    leeway_s: float = LEEWAY_S
    max_life_s: float = MAX_LIFE_S
    roles_claim: str | None = None
    role_map: dict[str, tuple[str, ...]] = {}
    default_roles: tuple[str, ...] = ()


def checked(unit: Unit, given: NewIssuer, context: Context) -> Policy:
    """What of `given` is stored as the issuer's policy. Raises Fault(invalid_input, not_found, forbidden,
    issuer_url_insecure)."""
    if not _ISSUER_NAME.fullmatch(given.name):
        raise Fault(INVALID, "An issuer's name is 1 to 32 of a-z, 0-9, `-` and `_`, and begins with a letter or digit.")
    if not _URL.fullmatch(given.url):
        raise Fault(INVALID, "An issuer is a URL, http:// or https://, as it stands in the `iss` of its tokens.")
    if sum(each is not None for each in (given.keys_url, given.keys, given.secret)) != 1:
        raise Fault(INVALID, "An issuer's keys come from a URL, or are given, or it has a shared secret: one of these.")
    if given.keys_url is not None:
        require_safe(given.keys_url)
    if given.secret is not None and len(given.secret.encode()) < MIN_SECRET_BYTES:
        raise Fault(INVALID, "A shared secret for HS256 has at least 32 bytes; take them at random.")
    _check_times(given)
    _check_words(given)
    _check_roles(unit, given, context)
    return Policy(
        audiences=given.audiences,
        algorithms=_algorithms(given),
        types=tuple(kind.lower().removeprefix("application/") for kind in given.types),
        leeway_s=given.leeway_s,
        max_life_s=given.max_life_s,
        refresh_s=given.refresh_s,
        roles_claim=given.roles_claim,
        role_map=given.role_map,
        default_roles=given.default_roles,
    )


def require_safe(keys_url: str) -> None:
    """Whoever can change what is fetched can make tokens. Raises Fault(issuer_url_insecure)."""
    try:
        parts = urlsplit(keys_url)
        host = parts.hostname or ""
    except ValueError:
        raise Fault(ISSUER_URL_INSECURE) from None
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise Fault(ISSUER_URL_INSECURE)


def _algorithms(given: NewIssuer) -> tuple[str, ...]:
    if given.secret is not None:
        if given.algorithms not in ((), (SHARED,)):
            raise Fault(INVALID, "With a shared secret the one algorithm is HS256.")
        return (SHARED,)
    if not all(name in FITS for name in given.algorithms):
        # Public keys and HMAC together would let anybody sign with the public key as the secret.
        raise Fault(INVALID, f"Algorithms that can be allowed with public keys: {', '.join(FITS)}.")
    return given.algorithms or RECOMMENDED


def _check_times(given: NewIssuer) -> None:
    if not 0 <= given.leeway_s <= MAX_LEEWAY_S:
        raise Fault(INVALID, "The leeway is 0 to 60 seconds.")
    if not 1 <= given.max_life_s <= LONGEST_LIFE_S:
        raise Fault(INVALID, "The longest life of a token is 1 second to 31 days.")
    if not MIN_REFRESH_S <= given.refresh_s <= MAX_REFRESH_S:
        raise Fault(INVALID, "Keys are fetched again every 10 seconds to every day.")


def _check_words(given: NewIssuer) -> None:
    if not given.types or not all(0 < len(kind) <= 64 and kind.isascii() for kind in given.types):
        raise Fault(INVALID, "At least one type (`typ`) of token is taken, for example `at+jwt`.")
    mapped = [name for names in given.role_map.values() for name in names]
    words = [*given.audiences, *given.role_map, *mapped, *filter(None, [given.roles_claim])]
    if len(words) > MAX_LISTED or not all(map(_is_word, words)):
        raise Fault(INVALID, "Audiences, claims and their values are short texts, at most 256 of them.")
    if given.role_map and given.roles_claim is None:
        raise Fault(INVALID, "A map of roles needs the claim whose values it maps.")


def _is_word(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME_CHARACTERS and text.isprintable()


def _check_roles(unit: Unit, given: NewIssuer, context: Context) -> None:
    names = {*given.default_roles, *(name for names in given.role_map.values() for name in names)}
    if names and Permission.RBAC_GRANT_CHANGE not in context.actor.permissions:
        raise Fault(FORBIDDEN)
    if not all(role_exists(unit, name) for name in names):
        raise Fault(NOT_FOUND, "A role of the map does not exist; `mcp-platform role list` shows those that do.")
