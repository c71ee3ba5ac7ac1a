"""What can be done to admin tokens. The token itself leaves here once, in the answer to its creation."""

import msgspec
from sqlalchemy import delete, insert, select, update

from mcp_platform.base.errors import INVALID, NOT_FOUND, Fault
from mcp_platform.features.identity.check import is_agent_name
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.features.tokens.check import MAX_LIFE_S, USUAL_LIFE_S, generate, mac, parse
from mcp_platform.features.tokens.tables import ADMIN_TOKENS
from mcp_platform.store.action import Action, Change, Context
from mcp_platform.store.page import Which, cut, turn
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

ALL = "all"
"""Stands for every permission that whoever asks holds."""
READING = frozenset(permission for permission in Permission if permission.value.endswith(":read"))
"""What a token may that was asked for without permissions."""
KEPT_S = 86400.0
"""Seconds that a token stays in the list after it has expired. The audit log has it for ever."""


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long, and what it may."""

    for_s: float = USUAL_LIFE_S
    """Seconds, at most an hour."""
    permissions: tuple[str, ...] = ()
    """Names, or `all`; none: those to read."""
    agent: str | None = None
    """The program that will hold it; None: whoever asks."""


class TokenNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which token."""

    id: str
    """The 12 characters after the prefix."""


def create_token(unit: Unit, params: NewToken, context: Context) -> Change:
    if not 0 < params.for_s <= MAX_LIFE_S:
        raise Fault(INVALID, "An admin token is good for more than no time and for at most an hour.")
    if params.agent is not None and not is_agent_name(params.agent):
        raise Fault(INVALID, "An agent's name is 1 to 64 of letters, digits, spaces and `._@/+-`.")
    permissions = _permissions(params, context)
    token = generate()
    token_id = parse(token)
    assert token_id is not None, "what generate makes, parse reads"
    unit.connection.execute(delete(ADMIN_TOKENS).where(ADMIN_TOKENS.c.not_after < unit.now - KEPT_S))
    shown = {
        "id": token_id,
        "agent": params.agent or context.actor.id,
        "permissions": permissions,
        "not_after": unit.now + params.for_s,
    }
    unit.connection.execute(
        insert(ADMIN_TOKENS).values(
            **{**shown, "permissions": msgspec.json.encode(permissions).decode()},
            mac=mac(context.secrets.data_key, token),
            created_at=unit.now,
            created_by=context.actor.id,
        )
    )
    return Change(result=shown, secret={"token": token}, target=token_id)


def _permissions(params: NewToken, context: Context) -> list[str]:
    """Nobody gives what they do not hold."""
    held = context.actor.permissions
    if not params.permissions:
        return sorted(held & READING)
    if params.permissions == (ALL,):
        return sorted(held)
    known = {permission.value: permission for permission in Permission}
    if not set(params.permissions) <= set(known):
        raise Fault(INVALID, "There is a permission that does not exist; docs/reference/permissions.md lists them.")
    asked = {known[name] for name in params.permissions}
    if not asked <= held:
        raise Fault(FORBIDDEN)
    return sorted(asked)


def list_tokens(unit: Unit, params: Which, context: Context) -> Change:
    rows = unit.connection.execute(turn(select(ADMIN_TOKENS), ADMIN_TOKENS.c.id, params))
    listed = [
        {
            "id": row.id,
            "agent": row.agent,
            "permissions": msgspec.json.decode(row.permissions),
            "created_at": row.created_at,
            "created_by": row.created_by,
            "not_after": row.not_after,
            "revoked_at": row.revoked_at,
            "state": _state(row.revoked_at, row.not_after, unit.now),
        }
        for row in rows
    ]
    return Change(result=cut("tokens", listed, params))


def _state(revoked_at: float | None, not_after: float, now: float) -> str:
    if revoked_at is not None:
        return "revoked"
    return "expired" if now >= not_after else "active"


def revoke_token(unit: Unit, params: TokenNamed, context: Context) -> Change:
    """Revoking a token that is revoked already is no error: whoever asks wants it gone."""
    good = (ADMIN_TOKENS.c.id == params.id) & ADMIN_TOKENS.c.revoked_at.is_(None)
    changed = unit.connection.execute(update(ADMIN_TOKENS).where(good).values(revoked_at=unit.now)).rowcount > 0
    if not changed:
        known = unit.connection.execute(select(ADMIN_TOKENS.c.id).where(ADMIN_TOKENS.c.id == params.id)).first()
        if known is None:
            raise Fault(NOT_FOUND, "No admin token has that id; `mcp-platform token list` shows those that exist.")
    return Change(result={"id": params.id, "changed": changed}, target=params.id)


ACTIONS = (
    Action(
        name="token.create",
        permission=Permission.TOKENS_TOKEN_CREATE,
        audit=Tag.TOKENS_TOKEN_CREATE,
        params=NewToken,
        run=create_token,
        summary="Makes a short-lived token for the REST API and shows it once.",
        records=("for_s", "permissions", "agent"),
    ),
    Action(
        name="token.list",
        permission=Permission.TOKENS_TOKEN_READ,
        audit=Tag.TOKENS_TOKEN_LIST,
        params=Which,
        run=list_tokens,
        summary="Lists admin tokens by id, with what they may and their state; never the tokens.",
        records=("name", "after", "limit"),
        reads=True,
    ),
    Action(
        name="token.revoke",
        permission=Permission.TOKENS_TOKEN_REVOKE,
        audit=Tag.TOKENS_TOKEN_REVOKE,
        params=TokenNamed,
        run=revoke_token,
        summary="Ends an admin token at once, requests under way included.",
        records=("id",),
    ),
)
