"""What can be done to trusted issuers: whom to believe, with what keys, and which of their tokens no longer."""

from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update

from mcp_platform.base import ids
from mcp_platform.base.errors import CONFLICT, INVALID, Fault
from mcp_platform.features.jwt import keys as key_sets
from mcp_platform.features.jwt.errors import ISSUER_EXISTS, ISSUER_UNKNOWN
from mcp_platform.features.jwt.look import Looked, Place, look
from mcp_platform.features.jwt.model import IssuerKey
from mcp_platform.features.jwt.policy import NewIssuer, checked
from mcp_platform.features.jwt.tables import (
    ISSUER_LINKS,
    ISSUERS,
    TOKEN_REVOCATIONS,
    encoded,
    issuer_named,
    keys_of,
    links_of,
    policy_of,
    sealed_for_workers,
)
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.page import Which, cut, turn
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_ISSUERS = 64
"""A platform that trusts more trusts everybody."""
_TOUCHED = Touched(issuers=True)


class IssuerNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which issuer."""

    name: str


class Refresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose keys to take anew."""

    name: str
    keys: str | None = None
    """The key set as JSON, for an issuer without a URL for it."""


class Rotated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the platform fetched by itself."""

    id: str
    keys: str


def gather_new(unit: Unit, params: NewIssuer, context: Context) -> Place:
    policy = checked(unit, params, context)
    _refuse_taken(unit, params)
    given = None if params.keys is None else params.keys.encode()
    return Place(policy, params.keys_url, params.authority, given)


def _refuse_taken(unit: Unit, params: NewIssuer) -> None:
    taken = select(ISSUERS.c.id).where((ISSUERS.c.name == params.name) | (ISSUERS.c.url == params.url))
    if unit.connection.execute(taken).first() is not None:
        raise Fault(ISSUER_EXISTS)
    if unit.connection.execute(select(func.count()).select_from(ISSUERS)).scalar_one() >= MAX_ISSUERS:
        raise Fault(CONFLICT, "There are 64 issuers already; remove one first.")


def add_issuer(unit: Unit, params: NewIssuer, context: Context) -> Change:
    _refuse_taken(unit, params)  # again: somebody may have added it while its keys were fetched
    looked: Looked = context.found
    policy = looked.place.policy
    found = None
    if looked.document is not None:
        found = key_sets.read_strictly(looked.document, policy.algorithms)
    issuer_id = ids.new_id("iss")
    secret = None
    if params.secret is not None:
        secret = sealed_for_workers(context.secrets.mac_key, issuer_id, params.secret.encode())
    unit.connection.execute(
        insert(ISSUERS).values(
            id=issuer_id,
            name=params.name,
            url=params.url,
            policy=encoded(policy),
            keys_url=params.keys_url,
            authority=params.authority,
            secret=secret,
            keys=encoded(() if found is None else found.keys),
            keys_at=unit.now,
            created_at=unit.now,
        )
    )
    row = issuer_named(unit, params.name)
    skipped = [] if found is None else list(found.skipped)
    return Change(result={**_shown(unit, row), "skipped": skipped}, touched=_TOUCHED, target=params.name)


def list_issuers(unit: Unit, params: Which, context: Context) -> Change:
    rows = unit.connection.execute(turn(select(ISSUERS), ISSUERS.c.name, params)).all()
    return Change(result=cut("issuers", [_shown(unit, row) for row in rows], params))


def remove_issuer(unit: Unit, params: IssuerNamed, context: Context) -> Change:
    row = issuer_named(unit, params.name)
    for table in (ISSUER_LINKS, TOKEN_REVOCATIONS):
        unit.connection.execute(delete(table).where(table.c.issuer_id == row.id))
    unit.connection.execute(delete(ISSUERS).where(ISSUERS.c.id == row.id))
    return Change(result={"name": params.name, "removed": True}, touched=_TOUCHED, target=params.name)


def gather_test(unit: Unit, params: IssuerNamed, context: Context) -> Place:
    row = issuer_named(unit, params.name)
    given = None if row.secret is not None else b'{"keys":[]}'
    return Place(policy_of(row), row.keys_url, row.authority, given)


def test_issuer(unit: Unit, params: IssuerNamed, context: Context) -> Change:
    row = issuer_named(unit, params.name)
    looked: Looked = context.found
    stored = keys_of(row)
    seen = looked.read() if row.keys_url is not None else key_sets.KeySet(stored, (), ())
    known, now = {key.jwk for key in stored}, {key.jwk for key in seen.keys}
    return Change(
        result={
            "name": params.name,
            "keys_url": row.keys_url,
            "keys": [_shown_key(key) for key in seen.keys],
            "new": [key.kid for key in seen.keys if key.jwk not in known],
            "gone": [key.kid for key in stored if key.jwk not in now],
            "weak": list(seen.weak),
            "skipped": list(seen.skipped),
        },
        target=params.name,
    )


def gather_refresh(unit: Unit, params: Refresh, context: Context) -> Place:
    row = issuer_named(unit, params.name)
    if row.secret is not None:
        raise Fault(INVALID, "This issuer has a shared secret; to change it, remove the issuer and add it again.")
    if (row.keys_url is None) != (params.keys is not None):
        raise Fault(INVALID, "An issuer with a URL for its keys is asked there; one without is given them in a file.")
    given = None if params.keys is None else params.keys.encode()
    return Place(policy_of(row), row.keys_url, row.authority, given)


def refresh_issuer(unit: Unit, params: Refresh, context: Context) -> Change:
    row = issuer_named(unit, params.name)
    looked: Looked = context.found
    assert looked.document is not None, "gather_refresh lets no issuer without keys through"
    found = key_sets.read_strictly(looked.document, looked.place.policy.algorithms)
    _store_keys(unit, row, found.keys)
    return Change(result=_shown(unit, issuer_named(unit, params.name)), touched=_TOUCHED, target=params.name)


def rotate_issuer(unit: Unit, params: Rotated, context: Context) -> Change:
    """What the issuer publishes now is what it is believed by: a key it removed is gone, a weak one is not taken."""
    row = unit.connection.execute(select(ISSUERS).where(ISSUERS.c.id == params.id)).first()
    if row is None:
        raise Fault(ISSUER_UNKNOWN)
    found = key_sets.read(params.keys.encode(), policy_of(row).algorithms)
    _store_keys(unit, row, found.keys)
    result = {"name": row.name, "keys": [_shown_key(key) for key in found.keys], "weak": list(found.weak)}
    return Change(result=result, touched=_TOUCHED, target=row.name)


def _store_keys(unit: Unit, row: "Row[Any]", keys: tuple[IssuerKey, ...]) -> None:
    changed_at = row.keys_at if keys == keys_of(row) else unit.now
    unit.connection.execute(
        update(ISSUERS).where(ISSUERS.c.id == row.id).values(keys=encoded(keys), keys_at=changed_at)
    )


def _shown(unit: Unit, row: "Row[Any]") -> dict[str, object]:
    policy = policy_of(row)
    good = (TOKEN_REVOCATIONS.c.issuer_id == row.id) & (TOKEN_REVOCATIONS.c.until > unit.now)
    revoked = select(func.count()).select_from(TOKEN_REVOCATIONS).where(good)
    return {
        "name": row.name,
        "id": row.id,
        "url": row.url,
        **msgspec.structs.asdict(policy),
        "keys_url": row.keys_url,
        "shared_secret": row.secret is not None,
        "keys": [_shown_key(key) for key in keys_of(row)],
        "keys_at": row.keys_at,
        "links": links_of(unit, row.id),
        "revoked": unit.connection.execute(revoked).scalar_one(),
        "created_at": row.created_at,
    }


def _shown_key(key: IssuerKey) -> dict[str, object]:
    return {"kid": key.kid, "algorithms": list(key.algorithms)}


ACTIONS = (
    Action(
        name="issuer.add",
        permission=Permission.JWT_ISSUER_CHANGE,
        audit=Tag.JWT_ISSUER_ADD,
        params=NewIssuer,
        run=add_issuer,
        summary="Trusts an identity provider: its tokens are taken from then on, as its policy says.",
        records=(
            *("name", "url", "audiences", "algorithms", "types", "keys_url", "refresh_s", "leeway_s", "max_life_s"),
            *("roles_claim", "role_map", "default_roles"),
        ),
        withholds=("secret", "keys", "authority"),
        gather=gather_new,
        look=look,
        looking="Fetching the keys of issuer {name}",
    ),
    Action(
        name="issuer.list",
        permission=Permission.JWT_ISSUER_READ,
        audit=Tag.JWT_ISSUER_LIST,
        params=Which,
        run=list_issuers,
        summary="Lists trusted issuers with their keys, policy and links; never a secret.",
        records=("name", "after", "limit"),
        reads=True,
    ),
    Action(
        name="issuer.remove",
        permission=Permission.JWT_ISSUER_CHANGE,
        audit=Tag.JWT_ISSUER_REMOVE,
        params=IssuerNamed,
        run=remove_issuer,
        summary="Trusts an issuer no longer, on every worker within a second, calls under way included.",
        records=("name",),
    ),
    Action(
        name="issuer.test",
        permission=Permission.JWT_ISSUER_TEST,
        audit=Tag.JWT_ISSUER_TEST,
        params=IssuerNamed,
        run=test_issuer,
        summary="Fetches an issuer's keys and says how they differ from those in use; changes nothing.",
        records=("name",),
        reads=True,
        gather=gather_test,
        look=look,
        looking="Fetching the keys of issuer {name}",
    ),
    Action(
        name="issuer.refresh",
        permission=Permission.JWT_ISSUER_CHANGE,
        audit=Tag.JWT_ISSUER_REFRESH,
        params=Refresh,
        run=refresh_issuer,
        summary="Takes an issuer's keys anew, from its URL or from a file.",
        records=("name",),
        withholds=("keys",),
        gather=gather_refresh,
        look=look,
        looking="Fetching the keys of issuer {name}",
    ),
    Action(
        name="issuer.rotate",
        permission=Permission.JWT_ISSUER_CHANGE,
        audit=Tag.JWT_ISSUER_ROTATE,
        params=Rotated,
        run=rotate_issuer,
        summary="Takes the keys that the platform fetched by itself and found changed.",
        records=("id",),
        withholds=("keys",),
        internal=True,
    ),
)
