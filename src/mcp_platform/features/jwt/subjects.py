"""What can be done to the subjects and tokens of an issuer: link a subject to a principal, revoke tokens."""

from typing import Any

import msgspec
from sqlalchemy import delete, func, insert, select

from mcp_platform.base.errors import INVALID, UNAVAILABLE, Fault
from mcp_platform.features.identity.check import is_principal_name
from mcp_platform.features.identity.tables import add_principal, principal_id_of
from mcp_platform.features.jwt.check import MAX_NAME_CHARACTERS
from mcp_platform.features.jwt.tables import (
    ISSUER_LINKS,
    TOKEN_REVOCATIONS,
    drop_expired_revocations,
    issuer_named,
    policy_of,
)
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_ENTRIES = 10_000
"""Links, and revocations that are still needed, of one issuer: all of them are in every worker's memory."""


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose subject is which principal."""

    name: str
    subject: str
    principal: str | None = None
    """Made as a person where there is none of that name; None takes the link away."""


class Revoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which tokens: one by its id, or every one that a subject was given until now."""

    name: str
    jti: str | None = None
    sub: str | None = None


def link_subject(unit: Unit, params: Link, context: Context) -> Change:
    row = issuer_named(unit, params.name)
    _check_claim(params.subject, "subject")
    mine = (ISSUER_LINKS.c.issuer_id == row.id) & (ISSUER_LINKS.c.subject == params.subject)
    unit.connection.execute(delete(ISSUER_LINKS).where(mine))
    if params.principal is not None:
        _refuse_full(unit, ISSUER_LINKS, row.id)
        principal_id, created = _principal(unit, params.principal)
        unit.connection.execute(
            insert(ISSUER_LINKS).values(
                issuer_id=row.id, subject=params.subject, principal_id=principal_id, created_at=unit.now
            )
        )
    else:
        created = False
    return Change(
        result={
            "name": params.name,
            "subject": params.subject,
            "principal": params.principal,
            "principal_created": created,
        },
        touched=Touched(issuers=True, principals=created),
        target=params.name,
    )


def _principal(unit: Unit, name: str) -> tuple[str, bool]:
    known = principal_id_of(unit, name)
    if known is not None:
        return known, False
    if not is_principal_name(name):
        raise Fault(INVALID, "A principal's name is 1 to 64 of letters, digits and `._@+-`.")
    return add_principal(unit, name, "person"), True


def revoke_tokens(unit: Unit, params: Revoke, context: Context) -> Change:
    row = issuer_named(unit, params.name)
    if (params.jti is None) == (params.sub is None):
        raise Fault(INVALID, "Tokens are revoked by their id (jti) or by their subject (sub): one of them.")
    claim, value = ("jti", params.jti) if params.jti is not None else ("sub", params.sub)
    assert value is not None, "one of them is there"
    _check_claim(value, claim)
    drop_expired_revocations(unit)
    mine = (
        (TOKEN_REVOCATIONS.c.issuer_id == row.id)
        & (TOKEN_REVOCATIONS.c.claim == claim)
        & (TOKEN_REVOCATIONS.c.value == value)
    )
    unit.connection.execute(delete(TOKEN_REVOCATIONS).where(mine))
    _refuse_full(unit, TOKEN_REVOCATIONS, row.id)
    policy = policy_of(row)
    # iat may lie up to the leeway ahead of our clock: a token that says so was issued before now all the same.
    before = unit.now + policy.leeway_s
    until = before + policy.max_life_s
    unit.connection.execute(
        insert(TOKEN_REVOCATIONS).values(issuer_id=row.id, claim=claim, value=value, revoked_at=before, until=until)
    )
    result: dict[str, object] = {"name": params.name, claim: value, "kept_until_at": until}
    return Change(result=result, touched=Touched(issuers=True), target=params.name)


def _check_claim(value: str, claim: str) -> None:
    if not 0 < len(value) <= MAX_NAME_CHARACTERS or not value.isprintable():
        raise Fault(INVALID, f"The {claim} is 1 to 255 characters that can be printed.")


def _refuse_full(unit: Unit, table: Any, issuer_id: str) -> None:  # noqa: ANN401  # a table of SQLAlchemy
    held = select(func.count()).select_from(table).where(table.c.issuer_id == issuer_id)
    if unit.connection.execute(held).scalar_one() >= MAX_ENTRIES:
        raise Fault(UNAVAILABLE, "This issuer has 10,000 of these already, and every worker holds them all.")


ACTIONS = (
    Action(
        name="issuer.link",
        permission=Permission.JWT_LINK_CHANGE,
        audit=Tag.JWT_LINK_CHANGE,
        params=Link,
        run=link_subject,
        summary="Says which principal a subject of an issuer is, or that it is none any more.",
        records=("name", "subject", "principal"),
    ),
    Action(
        name="issuer.revoke",
        permission=Permission.JWT_TOKEN_REVOKE,
        audit=Tag.JWT_TOKEN_REVOKE,
        params=Revoke,
        run=revoke_tokens,
        summary="Refuses one token by its id, or all that a subject was given until now; calls under way are cut.",
        records=("name", "jti", "sub"),
    ),
)
