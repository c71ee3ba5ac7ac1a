"""What can be done to API keys. The key itself leaves here once, in the answer to its creation, and is nowhere else."""

from typing import Annotated

import msgspec
from sqlalchemy import insert, select, tuple_, update

from mcp_platform.base.errors import INVALID, NOT_FOUND, Fault
from mcp_platform.features.apikeys.check import generate, mac, parse
from mcp_platform.features.apikeys.model import shard_of
from mcp_platform.features.apikeys.tables import API_KEYS
from mcp_platform.features.identity.check import is_agent_name, is_principal_name
from mcp_platform.features.identity.tables import PRINCIPALS, add_principal, principal_id_of
from mcp_platform.features.rbac.check import RULE_FORM, is_rule
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.features.rbac.tables import grant, role_exists
from mcp_platform.store.action import Action, Change, Context, Touched
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_SCOPES = 100
"""Scopes of one key."""
MAX_LISTED = 1000
"""Keys in one answer, which is one line of at most 1 MiB."""
MAX_LIFE_S = 10 * 366 * 86400.0
"""Seconds: ten years. A longer life is a typing error."""


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whom, and what it may."""

    principal: str
    """Name; made as a service where there is none of that name."""
    agent: str | None = None
    """Name of the agent that will hold the key; None: the principal's own name."""
    roles: tuple[str, ...] = ()
    """Roles to grant to the principal besides."""
    scopes: tuple[str, ...] | None = None
    """Rules, formed as a role's, that narrow what the principal's roles allow."""
    expires_in_s: float | None = None
    """Seconds; None means no expiry."""
    strict: bool = False
    """True refuses what names a server or tool that is not known, instead of warning of it."""


class WhichKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which keys to list."""

    principal: str | None = None
    """Name; None lists everybody's."""
    offset: int = 0
    """How many to leave out: a listing holds 1000."""
    id: str | None = None
    """Only this one."""
    after: tuple[float, str] | None = None
    """Only what was made after this moment, or in it and has a greater id."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LISTED)] = MAX_LISTED


class KeyNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which key."""

    id: str
    """The 12 characters after the prefix."""


def create_key(unit: Unit, params: NewKey, context: Context) -> Change:
    _check(params)
    principal_id = principal_id_of(unit, params.principal)
    principal_created = principal_id is None
    if principal_id is None:
        principal_id = add_principal(unit, params.principal, "service")
    granted = _grant(unit, principal_id, params.roles, context)
    key = store_key(unit, principal_id, params, context)
    key_id = parse(key)
    assert key_id is not None, "what generate makes, parse reads"
    return Change(
        result={
            "id": key_id,
            "principal": params.principal,
            "principal_created": principal_created,
            "agent": params.agent or params.principal,
            "roles_granted": granted,
            "scopes": None if params.scopes is None else list(params.scopes),
            "not_after": _not_after(unit, params),
        },
        touched=Touched(keys=frozenset({key_id}), principals=principal_created or bool(granted)),
        secret={"api_key": key},
        target=key_id,
    )


def store_key(unit: Unit, principal_id: str, params: NewKey, context: Context) -> str:
    """Make a key, store its MAC, and return the key: the only time that it exists in plaintext here."""
    key = generate()
    key_id = parse(key)
    assert key_id is not None, "what generate makes, parse reads"
    unit.connection.execute(
        insert(API_KEYS).values(
            id=key_id,
            mac=mac(context.secrets.mac_key, key),
            principal_id=principal_id,
            agent=params.agent or params.principal,
            scopes=None if params.scopes is None else msgspec.json.encode(params.scopes).decode(),
            shard=shard_of(key_id),
            created_at=unit.now,
            created_by=context.actor.id,
            not_after=_not_after(unit, params),
        )
    )
    return key


def _not_after(unit: Unit, params: NewKey) -> float | None:
    return None if params.expires_in_s is None else unit.now + params.expires_in_s


def _check(params: NewKey) -> None:
    if not is_principal_name(params.principal):
        raise Fault(INVALID, "A principal's name is 1 to 64 of letters, digits and `._@+-`.")
    if params.agent is not None and not is_agent_name(params.agent):
        raise Fault(INVALID, "An agent's name is 1 to 64 of letters, digits, spaces and `._@/+-`.")
    if params.scopes is not None and (len(params.scopes) > MAX_SCOPES or not all(map(is_rule, params.scopes))):
        raise Fault(INVALID, f"Scopes are at most 100 rules. {RULE_FORM}")
    if params.expires_in_s is not None and not 0 < params.expires_in_s <= MAX_LIFE_S:
        raise Fault(INVALID, "A key expires in more than no time and in at most ten years.")


def _grant(unit: Unit, principal_id: str, names: tuple[str, ...], context: Context) -> list[str]:
    if names and Permission.RBAC_GRANT_CHANGE not in context.actor.permissions:
        raise Fault(FORBIDDEN)
    for name in names:
        if not role_exists(unit, name):
            raise Fault(NOT_FOUND, "No role has that name; `mcp-platform role list` shows those that exist.")
    return [name for name in dict.fromkeys(names) if grant(unit, name, principal_id)]


def list_keys(unit: Unit, params: WhichKeys, context: Context) -> Change:
    query = select(API_KEYS, PRINCIPALS.c.name.label("principal")).join(
        PRINCIPALS, PRINCIPALS.c.id == API_KEYS.c.principal_id
    )
    if params.principal is not None:
        query = query.where(PRINCIPALS.c.name == params.principal)
    if params.id is not None:
        query = query.where(API_KEYS.c.id == params.id)
    if params.after is not None:
        query = query.where(tuple_(API_KEYS.c.created_at, API_KEYS.c.id) > params.after)
    listed = [
        {
            "id": row.id,
            "principal": row.principal,
            "agent": row.agent,
            "scopes": None if row.scopes is None else msgspec.json.decode(row.scopes),
            "created_at": row.created_at,
            "created_by": row.created_by,
            "not_after": row.not_after,
            "revoked_at": row.revoked_at,
            "state": _state(row.revoked_at, row.not_after, unit.now),
        }
        for row in unit.connection.execute(
            query.order_by(API_KEYS.c.created_at, API_KEYS.c.id).offset(params.offset).limit(params.limit + 1)
        )
    ]
    return Change(result={"keys": listed[: params.limit], "more": len(listed) > params.limit})


def _state(revoked_at: float | None, not_after: float | None, now: float) -> str:
    if revoked_at is not None:
        return "revoked"
    return "expired" if not_after is not None and now >= not_after else "active"


def revoke_key(unit: Unit, params: KeyNamed, context: Context) -> Change:
    """Revoking a key that is revoked already is no error: whoever asks wants it gone."""
    changed = unit.connection.execute(
        update(API_KEYS).where(API_KEYS.c.id == params.id, API_KEYS.c.revoked_at.is_(None)).values(revoked_at=unit.now)
    )
    if changed.rowcount == 0:
        known = unit.connection.execute(select(API_KEYS.c.id).where(API_KEYS.c.id == params.id)).first()
        if known is None:
            raise Fault(NOT_FOUND, "No key has that id; `mcp-platform key list` shows those that exist.")
    return Change(
        result={"id": params.id, "changed": changed.rowcount > 0},
        touched=Touched(keys=frozenset({params.id})),
        target=params.id,
    )


ACTIONS = (
    Action(
        name="key.create",
        permission=Permission.KEYS_KEY_CREATE,
        audit=Tag.KEYS_KEY_CREATE,
        params=NewKey,
        run=create_key,
        summary="Makes an API key for a principal and shows it once.",
        records=("principal", "agent", "roles", "scopes", "expires_in_s", "strict"),
        names=lambda params: params.scopes or (),
    ),
    Action(
        name="key.list",
        permission=Permission.KEYS_KEY_READ,
        audit=Tag.KEYS_KEY_LIST,
        params=WhichKeys,
        run=list_keys,
        summary="Lists API keys by id, with their holder, agent and state; never the keys.",
        records=("principal", "offset", "id", "after", "limit"),
        reads=True,
    ),
    Action(
        name="key.revoke",
        permission=Permission.KEYS_KEY_REVOKE,
        audit=Tag.KEYS_KEY_REVOKE,
        params=KeyNamed,
        run=revoke_key,
        summary="Ends an API key on every worker within a second, calls under way included.",
        records=("id",),
    ),
)
