"""Trusted issuers over REST. A shared secret goes in and never comes out."""

from typing import Annotated

import msgspec

from mcp_platform.base.errors import CONFLICT, NOT_FOUND, UNAVAILABLE
from mcp_platform.features.identity.routes import PrincipalName
from mcp_platform.features.jwt import policy
from mcp_platform.features.jwt import subjects as of_subjects
from mcp_platform.features.jwt.actions import ACTIONS
from mcp_platform.features.jwt.check import FITS, MAX_NAME_CHARACTERS, SHARED
from mcp_platform.features.jwt.errors import (
    ISSUER_EXISTS,
    ISSUER_KEY_WEAK,
    ISSUER_KEYS_INVALID,
    ISSUER_KEYS_UNREACHABLE,
    ISSUER_UNKNOWN,
    ISSUER_URL_INSECURE,
)
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.features.rbac.routes import RoleName
from mcp_platform.store.route import Changed, Listing, Moment, Published, Route, by_name

_OF = by_name((*ACTIONS, *of_subjects.ACTIONS))
_Word = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
_Words = Annotated[tuple[_Word, ...], msgspec.Meta(max_length=policy.MAX_LISTED)]
_Type = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Roles = Annotated[tuple[RoleName, ...], msgspec.Meta(max_length=policy.MAX_LISTED)]
_Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[!-~]{1,1000}$")]
_Text = Annotated[str, msgspec.Meta(max_length=512 * 1024)]
_KEYS = (ISSUER_KEYS_UNREACHABLE, ISSUER_KEYS_INVALID, ISSUER_KEY_WEAK)


class IssuerKeyShown(msgspec.Struct, frozen=True):
    """A public key of an issuer."""

    kid: str | None
    algorithms: list[str]


class Issuer(msgspec.Struct, frozen=True):
    """An identity provider whose tokens are taken, and what they mean here."""

    name: str
    id: str
    url: str
    audiences: list[str]
    algorithms: list[str]
    types: list[str]
    leeway_s: float
    max_life_s: float
    refresh_s: float
    roles_claim: str | None
    role_map: dict[str, list[str]]
    default_roles: list[str]
    keys_url: str | None
    shared_secret: bool
    keys: list[IssuerKeyShown]
    keys_at: Moment
    links: dict[str, str]
    """Subject → principal."""
    revoked: int
    """Revocations that still matter."""
    created_at: Moment


class IssuerChanged(Issuer, frozen=True, kw_only=True):
    """The issuer as it is now."""

    published: Published
    skipped: list[str] = []
    """Keys of the set that were not taken, and why."""


class IssuerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An identity provider to trust: with exactly one of keys_url, keys and secret."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    url: _Url
    """What `iss` of its tokens is, character by character."""
    audiences: _Words = ()
    algorithms: Annotated[
        tuple[str, ...], msgspec.Meta(max_length=16, description=f"Of: {', '.join((*FITS, SHARED))}.")
    ] = ()
    types: Annotated[tuple[_Type, ...], msgspec.Meta(min_length=1, max_length=16)] = policy.STRICT_TYPES
    keys_url: _Url | None = None
    keys: _Text | None = None
    """A key set (RFC 7517) as JSON text."""
    secret: Annotated[str, msgspec.Meta(min_length=policy.MIN_SECRET_BYTES, max_length=4096)] | None = None
    """For HS256 alone."""
    authority: _Text | None = None
    """PEM: who may vouch for keys_url, instead of the system's."""
    refresh_s: Annotated[float, msgspec.Meta(ge=policy.MIN_REFRESH_S, le=policy.MAX_REFRESH_S)] = policy.REFRESH_S
    leeway_s: Annotated[float, msgspec.Meta(ge=0, le=policy.MAX_LEEWAY_S)] = policy.LEEWAY_S
    max_life_s: Annotated[float, msgspec.Meta(ge=1, le=policy.LONGEST_LIFE_S)] = policy.MAX_LIFE_S
    roles_claim: _Word | None = None
    role_map: Annotated[dict[_Word, _Roles], msgspec.Meta(max_length=policy.MAX_LISTED)] = {}
    default_roles: _Roles = ()


class IssuerRemoved(Changed, frozen=True, kw_only=True):
    """The issuer that is trusted no longer."""

    name: str
    removed: bool


class IssuerTested(msgspec.Struct, frozen=True):
    """What an issuer publishes now, beside what is in use."""

    name: str
    keys_url: str | None
    keys: list[IssuerKeyShown]
    new: list[str | None]
    gone: list[str | None]
    weak: list[str]
    skipped: list[str]


class RefreshBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys for an issuer that has no URL for them; nothing for one that has."""

    keys: _Text | None = None


class LinkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which principal a subject is; null: none any more."""

    subject: _Word
    principal: PrincipalName | None = None


class Linked(Changed, frozen=True, kw_only=True):
    """Who the subject is now."""

    name: str
    subject: str
    principal: str | None
    principal_created: bool


class RevocationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One token by its id, or all that a subject was given until now: exactly one of the two."""

    jti: _Word | None = None
    sub: _Word | None = None


class TokensRevoked(Changed, frozen=True, kw_only=True):
    """What is refused, and until when that must be remembered."""

    name: str
    jti: str | None = None
    sub: str | None = None
    kept_until_at: Moment


_ONE = "/issuers/{name}"
ROUTES = (
    Route("GET", "/issuers", _OF["issuer.list"], Issuer, listing=Listing("issuers", ("name",))),
    Route(
        "POST",
        "/issuers",
        _OF["issuer.add"],
        IssuerChanged,
        status=201,
        body=IssuerBody,
        example={
            "name": "corp",
            "url": "https://login.example.com/",
            "keys_url": "https://login.example.com/keys",
            "default_roles": ["member"],
        },
        refusals=(ISSUER_EXISTS, CONFLICT, NOT_FOUND, FORBIDDEN, ISSUER_URL_INSECURE, *_KEYS),
    ),
    Route("GET", _ONE, _OF["issuer.list"], Issuer, one="issuers", absent=ISSUER_UNKNOWN),
    Route("DELETE", _ONE, _OF["issuer.remove"], IssuerRemoved, guarded=_ONE, refusals=(ISSUER_UNKNOWN,)),
    Route("POST", f"{_ONE}/test", _OF["issuer.test"], IssuerTested, refusals=(ISSUER_UNKNOWN, *_KEYS)),
    Route(
        "POST",
        f"{_ONE}/refresh",
        _OF["issuer.refresh"],
        IssuerChanged,
        body=RefreshBody,
        example={},
        guarded=_ONE,
        refusals=(ISSUER_UNKNOWN, *_KEYS),
    ),
    Route(
        "POST",
        f"{_ONE}/links",
        _OF["issuer.link"],
        Linked,
        body=LinkBody,
        example={"subject": "248289761001", "principal": "ana"},
        refusals=(ISSUER_UNKNOWN, UNAVAILABLE),
    ),
    Route(
        "POST",
        f"{_ONE}/revocations",
        _OF["issuer.revoke"],
        TokensRevoked,
        body=RevocationBody,
        example={"sub": "248289761001"},
        refusals=(ISSUER_UNKNOWN, UNAVAILABLE),
    ),
)
