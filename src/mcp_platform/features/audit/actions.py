"""Writing the audit log, and proving it whole. Rows are only ever appended, inside the transaction they speak of."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import insert, select

from mcp_platform.features.audit.check import FIRST, Entry, entry_hash
from mcp_platform.features.audit.tables import AUDIT_LOG
from mcp_platform.store import revision
from mcp_platform.store.action import Action, Change, Context
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

WITHHELD = "<withheld>"
MAX_RECORDED_CHARACTERS = 8192
"""Characters of recorded parameters. A larger request is recorded by its size: the log must not be filled by it."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, for the log."""

    actor: str
    tag: str
    outcome: str
    """`ok`, `refused` or `failed`."""
    target: str | None = None
    error: str | None = None
    params: str = "{}"
    agent: str | None = None
    address: str | None = None


def append(unit: Unit, event: Event) -> bytes:
    """Append one row and return its hash. The platform's row is held, so no two rows follow the same one."""
    now_revision = revision.lock(unit)
    last = unit.connection.execute(
        select(AUDIT_LOG.c.seq, AUDIT_LOG.c.hash).order_by(AUDIT_LOG.c.seq.desc()).limit(1)
    ).first()
    entry = Entry(
        previous=FIRST if last is None else last.hash,
        seq=1 if last is None else last.seq + 1,
        time=unit.now,
        actor=event.actor,
        tag=event.tag,
        target=event.target,
        outcome=event.outcome,
        error=event.error,
        params=event.params,
        revision=now_revision,
        agent=event.agent,
        address=event.address,
    )
    digest = entry_hash(entry)
    unit.connection.execute(insert(AUDIT_LOG).values(**msgspec.structs.asdict(entry), hash=digest))
    return digest


def recordable(action: Action, params: msgspec.Struct) -> str:
    """The parameters as the log keeps them: values only of what the action lists, names of the rest."""
    kept: dict[str, object] = {name: getattr(params, name) for name in action.records}
    for name in action.withholds:
        given = getattr(params, name)
        if isinstance(given, dict):
            kept[name] = dict.fromkeys(sorted(given), WITHHELD)
        elif given is not None:
            kept[name] = WITHHELD
    text = msgspec.json.encode(kept).decode()
    if len(text) > MAX_RECORDED_CHARACTERS:
        return msgspec.json.encode({"too_long_to_record": len(text)}).decode()
    return text


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a walk over the chain found."""

    rows: int
    """Rows that fit."""
    broken_at: int | None
    """`seq` of the first row that does not fit; None where all do."""


def verify_chain(unit: Unit) -> ChainReport:
    """Walk every row. Rows cut off the end cannot be noticed from the rows alone."""
    previous, expected = FIRST, 1
    for row in unit.connection.execute(select(AUDIT_LOG).order_by(AUDIT_LOG.c.seq)):
        fields = dict(row._mapping)
        digest = fields.pop("hash")
        entry = Entry(**fields)
        if entry.seq != expected or entry.previous != previous or entry_hash(entry) != digest:
            return ChainReport(rows=expected - 1, broken_at=expected)
        previous, expected = digest, expected + 1
    return ChainReport(rows=expected - 1, broken_at=None)


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes nothing."""


def verify(unit: Unit, params: NoParams, context: Context) -> Change:
    report = verify_chain(unit)
    return Change(result={"rows": report.rows, "intact": report.broken_at is None, "broken_at": report.broken_at})


ACTIONS = (
    Action(
        name="audit.verify",
        permission=Permission.AUDIT_LOG_VERIFY,
        audit=Tag.AUDIT_LOG_VERIFY,
        params=NoParams,
        run=verify,
        summary="Walks the audit log of control and says whether every row fits the one before it.",
        reads=True,
    ),
)
