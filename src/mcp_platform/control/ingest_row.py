"""What a record of the journal is in SQL, and in `audit tail`: a row, an outcome for one, or nothing. Pure."""

from typing import Final

import msgspec

from mcp_platform.features.audit.model import OPEN, Ended, Row
from mcp_platform.journal import record as records
from mcp_platform.journal.record import AnyRecord, Unknown

MAX_TIME: Final = 1 << 62
"""Nanoseconds since the epoch, in the year 2116: where a damaged clock said more, order is lost and nothing else."""
_SAID: Final = {
    records.Segment: "segment",
    records.Sealed: "sealed",
    records.Recovered: "recovered",
    records.Retained: "retained",
    records.ClockJump: "clock_jump",
}


def row_of(record: AnyRecord | Unknown, segment: bytes, index: int) -> Row | Ended | None:
    """None for a checkpoint: it proves the others and tells nothing by itself."""
    kind = type(record)
    if kind is records.Intent:
        return _call(record, segment, index)  # type: ignore[arg-type]  # told by its exact type: ten times as fast
    if kind is records.Outcome:
        return _ended(record, segment, index)  # type: ignore[arg-type]  # told by its exact type
    if isinstance(record, records.Refusal | records.Answered):
        return _asked(record, segment, index)
    if isinstance(record, records.Refusals):
        return _refusals(record, segment, index)
    if isinstance(record, records.Control):
        return _control(record, segment, index)
    if isinstance(record, records.Checkpoint):
        return None
    row = Row(time=_time(record.time), segment=segment, index=index, trace=record.trace)
    row.kind = _SAID.get(kind, "unknown")
    row.detail = _detail(record)
    return row


def _time(time: int) -> int:
    return min(max(time, 1), MAX_TIME)


def _requested(record: records.Intent | records.Refusal | records.Answered, segment: bytes, index: int) -> Row:
    """What is said alike of each request: who asked for what, and what was decided."""
    return Row(
        time=_time(record.time),
        segment=segment,
        index=index,
        trace=record.trace,
        principal=record.principal,
        agent=record.agent,
        agent_known=record.agent_known,
        tenant=record.tenant,
        credential=record.credential,
        session=record.session,
        address=record.address,
        method=record.method,
        server=record.server,
        tool=record.tool,
        decision=record.decision,
        rule=record.rule,
        revision=record.revision,
        request_bytes=record.request_bytes,
        endpoint=record.endpoint,
    )


def _call(record: records.Intent, segment: bytes, index: int) -> Row:
    row = _requested(record, segment, index)
    row.kind, row.outcome = "call", OPEN
    row.definition, row.read_only = record.definition, record.read_only
    if record.arguments is not None:
        row.arguments = record.arguments.policy
    return row


def _ended(record: records.Outcome, segment: bytes, index: int) -> Ended:
    return Ended(
        segment,
        index,
        segment if record.intent_segment is None else record.intent_segment,
        record.intent_index,
        record.outcome,
        record.error,
        record.result.policy if record.result is not None else "",
        record.response_bytes,
        record.latency_us,
    )


def _asked(record: records.Refusal | records.Answered, segment: bytes, index: int) -> Row:
    """A request that was sent to nobody."""
    row = _requested(record, segment, index)
    if isinstance(record, records.Refusal):
        row.kind, row.outcome, row.error = "refusal", "refused", record.error
    else:
        row.kind, row.outcome = "answered", "ok"
    return row


def _refusals(record: records.Refusals, segment: bytes, index: int) -> Row:
    """Found by the code that there are most of; all codes stand in the detail."""
    most = max(record.counts, key=lambda code: (record.counts[code], code), default="")
    return Row(
        time=_time(record.time),
        segment=segment,
        index=index,
        kind="refusals",
        trace=record.trace,
        address=record.address,
        decision="deny",
        outcome="refused",
        error=most,
        detail=_json({"since": record.since, "counts": record.counts}),
    )


def _control(record: records.Control, segment: bytes, index: int) -> Row:
    return Row(
        time=_time(record.time),
        segment=segment,
        index=index,
        kind="control",
        trace=record.trace,
        principal=record.actor,
        agent=record.agent,
        address=record.address,
        method=record.event,
        tag=record.tag,
        target=record.target,
        outcome=record.outcome,
        error=record.error,
        revision=record.revision,
        detail=record.params if record.params != "{}" else "",
    )


def _detail(record: AnyRecord | Unknown) -> str:
    """What the journal says of itself, less what is already in the row; bytes as hex."""
    fields = {
        name: value.hex() if isinstance(value := getattr(record, name), bytes) else value
        for name in record.__struct_fields__
        if name not in ("index", "time", "trace", "signature", "removed", "open")
    }
    if isinstance(record, records.Retained):
        fields["removed"] = [each[0] for each in record.removed]
    return _json(fields)


def _json(fields: dict[str, object]) -> str:
    return msgspec.json.encode(fields).decode()
