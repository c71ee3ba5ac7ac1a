"""A row as people and programs read it: the names of the query language, times in words. Pure."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from mcp_platform.features.audit.model import Row
from mcp_platform.features.audit.query import NS

COLUMNS: Final = (
    "time",
    "kind",
    "actor",
    "agent",
    "agent_known",
    "key",
    "session",
    "tenant",
    "address",
    "method",
    "server",
    "tool",
    "decision",
    "rule",
    "outcome",
    "error",
    "latency_us",
    "request_bytes",
    "response_bytes",
    "tag",
    "target",
    "trace",
    "revision",
    "read_only",
    "definition",
    "arguments",
    "result",
    "detail",
    "principal",
    "segment",
    "index",
    "endpoint",
)
"""Keys of a row in JSON, and columns of a CSV file; new ones only at the end."""


def presented(row: Row, names: dict[str, str]) -> dict[str, object]:
    """`names`: of principals, by id; whoever has none stands under the id."""
    return {
        "time": rfc3339(row.time),
        "kind": row.kind,
        "actor": names.get(row.principal, row.principal),
        "agent": row.agent,
        "agent_known": row.agent_known,
        "key": row.credential,
        "session": row.session,
        "tenant": row.tenant,
        "address": row.address,
        "method": row.method,
        "server": row.server,
        "tool": row.tool,
        "decision": row.decision,
        "rule": row.rule,
        "outcome": row.outcome,
        "error": row.error,
        "latency_us": row.latency_us,
        "request_bytes": row.request_bytes,
        "response_bytes": row.response_bytes,
        "tag": row.tag,
        "target": row.target,
        "trace": row.trace,
        "revision": row.revision,
        "read_only": row.read_only,
        "definition": row.definition,
        "arguments": row.arguments,
        "result": row.result,
        "detail": _detail(row.detail),
        "principal": row.principal,
        "segment": row.segment.hex(),
        "index": row.index,
        "endpoint": row.endpoint,
    }


def rfc3339(time_ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339, to the nanosecond: a row is found again by it."""
    seconds, rest = divmod(time_ns, NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _detail(text: str) -> object:
    if not text:
        return {}
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
