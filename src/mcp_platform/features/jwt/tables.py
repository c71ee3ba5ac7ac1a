"""Trusted issuers in SQL: their public keys, what their claims mean, whom their subjects are, and what is revoked."""

from typing import Any

import msgspec
from sqlalchemy import Column, Float, ForeignKey, LargeBinary, Row, String, Table, Text, delete, select

from mcp_platform.base.errors import Fault
from mcp_platform.features.identity.tables import PRINCIPALS
from mcp_platform.features.jwt.check import seal_key
from mcp_platform.features.jwt.errors import ISSUER_UNKNOWN
from mcp_platform.features.jwt.model import IssuerKey, IssuerRow
from mcp_platform.features.vault.check import place, seal
from mcp_platform.store.schema import metadata
from mcp_platform.store.unit import Unit

ISSUERS = Table(
    "issuers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(32), nullable=False, unique=True),
    Column("url", Text, nullable=False, unique=True),  # what `iss` must be
    Column("policy", Text, nullable=False),  # JSON of Policy
    Column("keys_url", Text, nullable=True),  # null: the keys were given, or the issuer has a shared secret
    Column("authority", Text, nullable=True),  # PEM: who may have signed the certificate of keys_url
    Column("secret", LargeBinary, nullable=True),  # for HS256, sealed for the workers
    Column("keys", Text, nullable=False),  # JSON array of IssuerKey
    Column("keys_at", Float, nullable=False),  # when the keys last changed
    Column("created_at", Float, nullable=False),
)

ISSUER_LINKS = Table(
    "issuer_links",
    metadata,
    Column("issuer_id", String(32), ForeignKey("issuers.id", ondelete="CASCADE"), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("principal_id", String(32), ForeignKey("principals.id"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
)

TOKEN_REVOCATIONS = Table(
    "token_revocations",
    metadata,
    Column("issuer_id", String(32), ForeignKey("issuers.id", ondelete="CASCADE"), primary_key=True),
    Column("claim", String(3), primary_key=True),  # jti or sub
    Column("value", String(255), primary_key=True),
    Column("revoked_at", Float, nullable=False),
    Column("until", Float, nullable=False),  # every token that it concerns has expired by then
)


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an issuer's tokens must be and what they mean here."""

    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    types: tuple[str, ...]
    leeway_s: float
    max_life_s: float
    refresh_s: float
    roles_claim: str | None
    role_map: dict[str, tuple[str, ...]]
    default_roles: tuple[str, ...]


def policy_of(row: "Row[Any]") -> Policy:
    return msgspec.json.decode(row.policy, type=Policy)


def keys_of(row: "Row[Any]") -> tuple[IssuerKey, ...]:
    return msgspec.json.decode(row.keys, type=tuple[IssuerKey, ...])


def encoded(value: object) -> str:
    """A JSON column."""
    return msgspec.json.encode(value).decode()


def sealed_for_workers(mac_key: bytes, issuer_id: str, secret: bytes) -> bytes:
    return seal(seal_key(mac_key), secret, place("issuers", issuer_id, "secret"))


def issuers(unit: Unit) -> list[IssuerRow]:
    """Every issuer, for the snapshot. Revocations of tokens that have expired are left out."""
    links: dict[str, dict[str, str]] = {}
    for row in unit.connection.execute(select(ISSUER_LINKS).order_by(ISSUER_LINKS.c.subject)):
        links.setdefault(row.issuer_id, {})[row.subject] = row.principal_id
    revoked: dict[tuple[str, str], dict[str, float]] = {}
    good = TOKEN_REVOCATIONS.c.until > unit.now
    for row in unit.connection.execute(select(TOKEN_REVOCATIONS).where(good).order_by(TOKEN_REVOCATIONS.c.value)):
        at = row.until if row.claim == "jti" else row.revoked_at
        revoked.setdefault((row.issuer_id, row.claim), {})[row.value] = at
    found: list[IssuerRow] = []
    for row in unit.connection.execute(select(ISSUERS).order_by(ISSUERS.c.id)):
        policy = policy_of(row)
        found.append(
            IssuerRow(
                id=row.id,
                name=row.name,
                url=row.url,
                audiences=policy.audiences,
                types=policy.types,
                keys=keys_of(row),
                renewable=row.keys_url is not None,
                secret=row.secret,
                leeway_s=policy.leeway_s,
                max_life_s=policy.max_life_s,
                roles_claim=policy.roles_claim,
                role_map=policy.role_map,
                default_roles=policy.default_roles,
                links=links.get(row.id, {}),
                revoked_tokens=revoked.get((row.id, "jti"), {}),
                revoked_subjects=revoked.get((row.id, "sub"), {}),
            )
        )
    return found


def issuer_named(unit: Unit, name: str) -> "Row[Any]":
    """Raises Fault(issuer_unknown)."""
    row = unit.connection.execute(select(ISSUERS).where(ISSUERS.c.name == name)).first()
    if row is None:
        raise Fault(ISSUER_UNKNOWN)
    return row


def links_of(unit: Unit, issuer_id: str) -> dict[str, str]:
    """Subject → name of the principal that it is."""
    rows = unit.connection.execute(
        select(ISSUER_LINKS.c.subject, PRINCIPALS.c.name)
        .join(PRINCIPALS, PRINCIPALS.c.id == ISSUER_LINKS.c.principal_id)
        .where(ISSUER_LINKS.c.issuer_id == issuer_id)
        .order_by(ISSUER_LINKS.c.subject)
    )
    return {row.subject: row.name for row in rows}


def drop_expired_revocations(unit: Unit) -> None:
    unit.connection.execute(delete(TOKEN_REVOCATIONS).where(TOKEN_REVOCATIONS.c.until <= unit.now))
