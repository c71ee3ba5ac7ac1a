"""One row of the record as people search it: a call with its outcome, a refusal, or something control did.

Content of arguments and results is no part of it: the journal holds it under the subject's key, and only there.
"""

from typing import Final

import msgspec

OPEN: Final = "open"
"""The outcome of a call that has none yet."""
MAX_NAME_CHARACTERS: Final = 256
"""Characters of one name that are searchable; the journal has the whole of it."""


class Row(msgspec.Struct, gc=False, kw_only=True):
    """What one record says, or an intent together with its outcome."""

    time: int
    """Nanoseconds since the epoch; of a call, when it was about to be made."""
    segment: bytes = b""
    index: int = 0
    """Where the record stands: (segment, index) names it for ever."""
    kind: str = ""
    """`call`, `answered` (by the gateway itself), `refusal`, `refusals` (summed up), `control`, or what the journal
    says of itself: `segment`, `sealed`,
    `recovered`, `retained`, `clock_jump`; `outcome` is one whose call is not known (yet)."""
    trace: str = ""
    principal: str = ""
    """Id of the principal; of what control did, the actor."""
    agent: str = ""
    agent_known: str = ""
    tenant: str = ""
    credential: str = ""
    session: str = ""
    address: str = ""
    method: str = ""
    server: str = ""
    tool: str = ""
    decision: str = ""
    rule: str = ""
    outcome: str = ""
    """`open` while a call has none yet."""
    error: str = ""
    tag: str = ""
    target: str = ""
    definition: str = ""
    arguments: str = ""
    """How the arguments were recorded: `hashed`, `redacted`, `full`, or empty."""
    result: str = ""
    revision: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    latency_us: int = 0
    read_only: bool = False
    detail: str = ""
    """JSON of what only this kind of record says."""
    endpoint: str = ""
    """Name of the virtual server that was asked; empty for `/mcp`."""


NAMED: Final = (
    "kind",
    "principal",
    "agent",
    "agent_known",
    "tenant",
    "credential",
    "session",
    "address",
    "method",
    "server",
    "tool",
    "decision",
    "rule",
    "outcome",
    "error",
    "tag",
    "target",
    "definition",
    "arguments",
    "result",
    "endpoint",
)
"""Fields that hold names: few different ones, each kept once."""
INDEXED: Final = (
    "kind",
    "principal",
    "agent",
    "credential",
    "session",
    "address",
    "method",
    "server",
    "tool",
    "decision",
    "outcome",
    "error",
    "tag",
    "target",
    "endpoint",
)
"""Those by which ten million rows are found in an instant; `trace` and the time are, too."""
IN_FULL_TEXT: Final = (
    "principal",
    "agent",
    "credential",
    "address",
    "method",
    "server",
    "tool",
    "outcome",
    "error",
    "tag",
    "target",
)
"""Where a word without a field is looked for: in names, never in arguments or results."""


class Ended(msgspec.Struct, gc=False, frozen=True):
    """An outcome, for the call at (segment, index)."""

    segment: bytes
    index: int
    of_segment: bytes
    of_index: int
    outcome: str
    error: str
    result: str
    response_bytes: int
    latency_us: int


def joined(row: Row, ended: Ended) -> Row:
    """The call with its outcome."""
    row.outcome = ended.outcome
    row.error = ended.error
    row.result = ended.result
    row.response_bytes = ended.response_bytes
    row.latency_us = ended.latency_us
    return row
