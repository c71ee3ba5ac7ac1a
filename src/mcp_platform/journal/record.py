"""Records, format 1: what stands in the journal, one struct for each kind. Pure; frozen once released.

A record is a MessagePack array: the kind's number, its index in the segment, then the fields in the order they stand
here. Fields are only ever added at the end of a struct: older readers pass over what they do not know, and whoever
keeps a record keeps its bytes, so nothing is lost. docs/reference/record-format.md is generated from here.
"""

from typing import Final

import msgspec

FORMAT: Final = 1


class Content(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Arguments or a result, as far as policy lets them be recorded."""

    policy: str
    """`hashed`, `redacted` or `full`: what was done, which is `hashed` where the content was too long for the rest."""
    size: int
    """Bytes of the content itself."""
    key: str
    """Id of the subject's key, which lies outside the journal. Erased: nobody can open or recognise `value`."""
    value: bytes
    """hashed: keyed BLAKE2b-256 of the content. redacted, full: AES-256-GCM, nonce (12 bytes) first."""


class Record(msgspec.Struct, array_like=True, gc=False, kw_only=True):
    """What every record begins with."""

    index: int = 0
    """Place in the segment, from 0; set by the writer."""
    time: int = 0
    """Nanoseconds since the epoch, UTC; set by the writer where 0."""
    trace: str = ""
    """Id of the request's trace, or empty."""


class Caller(Record, gc=False, kw_only=True):
    """Who asked, in intents and refusals."""

    principal: str = ""
    """Id of the principal; empty where nobody was established."""
    agent: str = ""
    """The client or agent that acts for the principal."""
    agent_known: str = ""
    """How the agent is known: `key` (verified by its own key), `token` (its issuer says so), `claimed` (it says so
    itself), or empty (no agent)."""
    tenant: str = ""
    """Id of the principal's tenant."""
    credential: str = ""
    """Id of the API key or token; never the credential itself."""
    session: str = ""
    """Mark of the session, or empty: it recognises a session and opens none."""
    address: str = ""
    """IP address of the client."""
    method: str = ""
    """MCP method, or HTTP method and path where no message was read."""
    server: str = ""
    """Upstream server as roles name it."""
    tool: str = ""
    """The upstream's own name for the tool."""
    decision: str = ""
    """`allow` or `deny`."""
    rule: str = ""
    """What decided: the role's rule, limit or check."""
    revision: int = 0
    """Revision of the configuration that was decided by."""
    request_bytes: int = 0
    """Bytes of the request's body."""


class Segment(Record, tag=1, gc=False, kw_only=True):
    """Index 0 of every segment: what it is and what it follows."""

    format: int = FORMAT
    """The format that the segment is written in."""
    platform: str = ""
    """Platform id."""
    node: str = ""
    """Name of the machine in the journal."""
    writer: str = ""
    """`worker-0`, `control`, `checkpoints`, …: one process writes under one name."""
    sequence: int = 0
    """Counts the writer's segments, from 1."""
    segment: bytes = b""
    """16 random bytes: this segment and no other."""
    previous: bytes | None = None
    """`segment` of the writer's previous segment; None in the first one."""
    previous_hash: bytes | None = None
    """Chain hash of the previous segment's last record; None where that segment had not been closed."""
    durability: str = ""
    """`strict`, `group` or `relaxed`: what the writer promised."""
    software: str = ""
    """Version that wrote it."""
    open: list[tuple[bytes, int]] = []
    """(segment, index) of every intent of the writer that had no outcome yet when the segment began."""


class Intent(Caller, tag=2, gc=False, kw_only=True):
    """A call that is about to be sent to an upstream."""

    definition: str = ""
    """SHA-256 of the tool's definition as approved (pinned), hex."""
    read_only: bool = False
    """True where an administrator marked the tool as one that changes nothing."""
    arguments: Content | None = None
    """What policy lets be recorded of them; None for nothing."""
    endpoint: str = ""
    """Name of the virtual server that was asked, as in `/mcp/NAME`; empty for `/mcp` itself."""


class Outcome(Record, tag=3, gc=False, kw_only=True):
    """How a call ended. There is exactly one for each intent."""

    intent_segment: bytes | None = None
    """`segment` where the intent stands; None: in this one."""
    intent_index: int = 0
    """Index of the intent in that segment."""
    outcome: str = ""
    """`ok`, `error` (JSON-RPC error), `tool_error` (a result with isError), `refused` (by us, not sent), `cancelled`
    or `unknown` (the process died in between: it may have been executed)."""
    error: str = ""
    """Code of the error, ours or `jsonrpc:<code>`; empty where there was none."""
    latency_us: int = 0
    """Microseconds from the intent to the outcome."""
    response_bytes: int = 0
    """Bytes of the upstream's answer."""
    result: Content | None = None
    """What policy lets be recorded of it; None for nothing."""


class Refusal(Caller, tag=4, gc=False, kw_only=True):
    """A request that was refused and never sent on."""

    error: str = ""
    """Code of the error."""
    endpoint: str = ""
    """Name of the virtual server that was asked for, there or not, as in `/mcp/NAME`; empty for `/mcp` itself."""


class Refusals(Record, tag=5, gc=False, kw_only=True):
    """Refusals of one address that came too fast to be written one by one."""

    address: str = ""
    """IP address, or `*`: all addresses that found no room of their own in the table."""
    since: int = 0
    """Nanoseconds since the epoch: the first of them. `time` is when they were summed up."""
    counts: dict[str, int] = {}
    """Error code → how many."""


class Control(Record, tag=6, gc=False, kw_only=True):
    """Something that control did, was asked, or refused."""

    event: str = ""
    """`login`, `change`, `read`, `refusal`, `start`, `stop` or `configuration`."""
    actor: str = ""
    """Who asked, as the audit log names it."""
    agent: str = ""
    """The client that acts for the actor, where it is known."""
    address: str = ""
    """IP address it came from, or empty for this machine's own sockets."""
    tag: str = ""
    """Audit tag `area:thing:verb`."""
    target: str = ""
    """What it was done to: a name or an id."""
    outcome: str = ""
    """`ok`, `refused` or `failed`; `begun` before a change, and another record of its trace after."""
    error: str = ""
    """Code of the error, or empty."""
    params: str = "{}"
    """JSON of what the action allows to be recorded."""
    revision: int = 0
    """Revision of the configuration after it."""


class ClockJump(Record, tag=7, gc=False, kw_only=True):
    """The wall clock was set: times before and after do not compare."""

    before: int = 0
    """Nanoseconds since the epoch that the clock should have shown."""
    after: int = 0
    """Nanoseconds since the epoch that it did show."""


class Sealed(Record, tag=8, gc=False, kw_only=True):
    """The last record of a segment that its writer finished."""

    reason: str = ""
    """`size`, `age` or `stop`."""


class Recovered(Record, tag=9, gc=False, kw_only=True):
    """The last record of a segment whose writer died, put there by control and signed."""

    segment: bytes = b""
    """The segment it closes."""
    last_index: int = 0
    """Index of the last record that was whole."""
    last_hash: bytes = b""
    """Its chain hash."""
    dropped_bytes: int = 0
    """Bytes after it that were no whole record; kept beside the segment in a file ending in `.torn`."""
    dropped_hash: bytes = b""
    """BLAKE2b-256 of those bytes; empty where there were none."""
    signature: bytes = b""
    """Ed25519 by the journal's key."""


class Retained(Record, tag=10, gc=False, kw_only=True):
    """What retention removed; signed, so that a gap is explained by control and by nobody else."""

    removed: list[tuple[str, bytes, int, bytes]] = []
    """(file name, segment, index of the last record, its chain hash) of each removed segment."""
    signature: bytes = b""
    """Ed25519 by the journal's key."""


class Answered(Caller, tag=12, gc=False, kw_only=True):
    """A request that the gateway answers by itself and sends to nobody: a list, `initialize`, `ping`, a notification,
    the end of a session. Written before the answer; what it asked for is in `method`, who asked in the rest."""

    endpoint: str = ""
    """Name of the virtual server that was asked, as in `/mcp/NAME`; empty for `/mcp` itself."""


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How far a segment went when a checkpoint was made."""

    name: str
    """`<node>-<writer>-<sequence>`."""
    segment: bytes
    """Its id."""
    index: int
    """Of the last record; all up to it had been synced to the disk."""
    hash: bytes
    """Its chain hash."""
    closed: bool
    """True where that record is the segment's last for ever."""


class Checkpoint(Record, tag=11, gc=False, kw_only=True):
    """All heads at one moment, signed by control. Stands in the segments of the writer `checkpoints`."""

    platform: str = ""
    """Platform id."""
    number: int = 0
    """Counts the platform's checkpoints, from 1."""
    previous: bytes = b""
    """`signature` of the checkpoint before it; empty in the first one."""
    heads: list[Head] = []
    """Every segment that is open, the newest of every writer, and each that was closed since the checkpoint before."""
    signature: bytes = b""
    """Ed25519 by the journal's key."""


AnyRecord = (
    Segment
    | Intent
    | Outcome
    | Refusal
    | Refusals
    | Control
    | ClockJump
    | Sealed
    | Recovered
    | Retained
    | Checkpoint
    | Answered
)
KINDS: Final[tuple[type[Record], ...]] = (
    Segment,
    Intent,
    Outcome,
    Refusal,
    Refusals,
    Control,
    ClockJump,
    Sealed,
    Recovered,
    Retained,
    Checkpoint,
    Answered,
)


class Unknown(Record, gc=False, kw_only=True):
    """A record of a kind that this version does not know; its bytes are kept like any other's."""

    kind: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[AnyRecord] = msgspec.msgpack.Decoder(AnyRecord)
_plain = msgspec.msgpack.Decoder()


def encode(record: Record) -> bytes:
    return _encode(record)


def decode(body: bytes) -> AnyRecord | Unknown:
    """Raises ValueError where the bytes are no record."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        return _unknown(body)
    except msgspec.DecodeError as error:
        raise ValueError("not MessagePack") from error


def _unknown(body: bytes) -> Unknown:
    fields = _plain.decode(body)
    if not isinstance(fields, list) or len(fields) < 4 or not all(isinstance(each, int) for each in fields[:3]):
        raise ValueError("no record")
    if fields[0] in _numbers():
        raise ValueError("a record of a known kind whose fields are not as they must be")
    return Unknown(kind=fields[0], index=fields[1], time=fields[2], trace=str(fields[3]))


def trailing(body: bytes, record: AnyRecord) -> list[object]:
    """The fields at the end of `body` that this version does not know."""
    known = 1 + len(type(record).__struct_fields__)
    return list(_plain.decode(body)[known:])


def kind_number(kind: type[Record]) -> int:
    return int(kind.__struct_config__.tag)  # type: ignore[arg-type]  # every kind has a number


def _numbers() -> set[int]:
    return {kind_number(kind) for kind in KINDS}


def signed_part(record: Recovered | Retained | Checkpoint, platform: str) -> bytes:
    """What control signs: words of its own for each kind, the platform, then the record without its signature.

    The index is not known when a record is signed, and is left out.
    """
    fields = msgspec.structs.astuple(record)[1:-1]
    domain = f"mcp-platform journal {type(record).__name__.lower()} v{FORMAT}"
    return _encode((domain, platform, *fields))
