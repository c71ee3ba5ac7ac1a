"""What we say to an upstream and what it says, as bytes and values, in both dialects. No I/O.

Bytes of parameters, results and errors pass through verbatim, so that numbers keep their text; only line breaks
between tokens become spaces, so that each message fits on a line.
"""

import msgspec

from mcp_platform import __version__
from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Answer, Call
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE
from mcp_platform.wire import versions

OUR_INFO = msgspec.json.encode({"name": "mcp-platform", "version": __version__})
"""Who we are towards an upstream that is not told of the END client."""
METHOD_NOT_FOUND = b'{"code":-32601,"message":"The client does not offer this method here"}'


class Message(msgspec.Struct):
    """Any JSON-RPC message from an upstream. Absent members are UNSET; ids stay the bytes they were."""

    jsonrpc: str = ""
    method: str | msgspec.UnsetType = msgspec.UNSET
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    @property
    def identity(self) -> bytes | None:
        return None if self.id is msgspec.UNSET else bytes(self.id)

    @property
    def params_bytes(self) -> bytes:
        return b"{}" if self.params is msgspec.UNSET else bytes(self.params)


_message = msgspec.json.Decoder(Message)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode
_MAX_ID_BYTES = 256
"""Bytes of a server's request id, which we keep and send back."""
BATCHES = "2025-03-26"
"""The one revision in which a message may be an array of messages."""
MAX_BATCH = 1000
"""Messages in one array. 2025-03-26 names no number; no server is known to send more than a few."""
_batch = msgspec.json.Decoder(list[msgspec.Raw])


def parse_all(line: bytes) -> list[Message]:
    """The messages in `line`: one, or with 2025-03-26 an array. Raises Fault(upstream_garbage)."""
    if not line.lstrip().startswith(b"["):
        return [parse(line)]
    try:
        parts = _batch.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"}) from None
    if not 0 < len(parts) <= MAX_BATCH:
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
    return [parse(bytes(part)) for part in parts]


def parse(line: bytes) -> Message:
    """The one message in `line`. Raises Fault(upstream_garbage)."""
    if b"\n" in line or b"\r" in line:
        # No JSON string may hold one, so they only stand between tokens.
        line = line.replace(b"\n", b" ").replace(b"\r", b" ")
    try:
        if not line.isascii():
            line.decode()
        message = _message.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"}) from None
    if message.jsonrpc != "2.0" or not _is_one_of_three(message):
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
    return message


def _is_one_of_three(message: Message) -> bool:
    """Request, notification or answer. An error may lack an id (the server could not read ours); a result may not."""
    answers = (message.result is not msgspec.UNSET) + (message.error is not msgspec.UNSET)
    if message.method is not msgspec.UNSET:
        return answers == 0 and len(message.identity or b"") <= _MAX_ID_BYTES
    return answers == 1 and (message.identity is not None or message.error is not msgspec.UNSET)


def answer(message: Message, era: str) -> Answer:
    """Raises Fault(upstream_garbage) where result or error is no object."""
    body = message.error if message.result is msgspec.UNSET else message.result
    assert body is not msgspec.UNSET, "only an answer is taken for one"
    raw = bytes(body)
    if not raw.startswith(b"{"):
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
    if message.result is msgspec.UNSET:
        error_code(raw)
        return Answer(error=raw, era=era)
    return Answer(result=raw, era=era)


class _Error(msgspec.Struct):
    code: int
    message: str


_error = msgspec.json.Decoder(_Error)


def error_code(error: bytes) -> int:
    """The code of a JSON-RPC error object. Raises Fault(upstream_garbage)."""
    try:
        return _error.decode(error).code
    except (msgspec.MsgspecError, ValueError):
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"}) from None


def request(identity: int, method: str, params: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"method":%b,"params":%b}' % (identity, _encode(method), params)


def notification(method: str, params: bytes = b"{}") -> bytes:
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (_encode(method), params)


def response(identity: bytes, given: Answer) -> bytes:
    """Our answer to a server's request; `identity` as the server wrote it."""
    if given.result is not None:
        return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (identity, given.result)
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (identity, given.error or METHOD_NOT_FOUND)


def failure(fault: Fault) -> Answer:
    """A fault of ours as the answer to a server's request."""
    return Answer(error=_encode({"code": fault.kind.jsonrpc, "message": fault.text}))


def canonical(capabilities: bytes) -> bytes:
    """Capabilities in one spelling, so that equal sets share what is kept for each."""
    return msgspec.json.encode(msgspec.json.decode(capabilities), order="deterministic")


def cancelled(identity: int) -> bytes:
    return notification("notifications/cancelled", b'{"requestId":%d,"reason":"The client cancelled"}' % identity)


def initialize(identity: int, capabilities: bytes, client_info: bytes | None) -> bytes:
    params = b'{"protocolVersion":%b,"capabilities":%b,"clientInfo":%b}' % (
        _encode(versions.LATEST_LEGACY),
        capabilities,
        client_info or OUR_INFO,
    )
    return request(identity, "initialize", params)


def discover(identity: int) -> bytes:
    """The probe that tells the eras apart (2026-07-28, basic/versioning)."""
    return modern_request(identity, Call(method="server/discover", params=b"{}"))


def modern_request(identity: int, call: Call) -> bytes:
    """A request of 2026-07-28: everything about the client stands in `_meta`. Our id serves as progress token."""
    own = b'"%b":"%b","%b":%b,"%b":%b' % (
        versions.VERSION_KEY.encode(),
        versions.MODERN.encode(),
        versions.CAPABILITIES_KEY.encode(),
        call.capabilities,
        versions.CLIENT_INFO_KEY.encode(),
        call.client_info or OUR_INFO,
    )
    if call.log_level is not None:
        own += b',"%b":%b' % (versions.LOG_LEVEL_KEY.encode(), _encode(call.log_level))
    return request(identity, call.method, _with_meta(identity, call, own))


def legacy_request(identity: int, call: Call) -> bytes:
    """A request of 2025-11-25 or earlier. Our id serves as progress token."""
    if not call.progress and call.meta == b"{}":
        return request(identity, call.method, call.params)
    return request(identity, call.method, _with_meta(identity, call, b""))


def _with_meta(identity: int, call: Call, own: bytes) -> bytes:
    members = [own] if own else []
    if call.progress:
        members.append(b'"progressToken":%d' % identity)
    inner = call.meta.strip()[1:-1].strip()
    if inner:
        members.append(inner)
    rest = call.params.strip()[1:].lstrip()
    comma = b"" if rest.startswith(b"}") else b","
    return b'{"_meta":{%b}%b%b' % (b",".join(members), comma, rest)


def number(identity: bytes | None) -> int:
    """Our ids are integers; anything else is none of ours."""
    return int(identity) if identity is not None and identity.isdigit() and len(identity) < 19 else -1


def without_token(params: bytes) -> tuple[bytes | None, bytes]:
    """Parameters of a progress notification: the token's JSON, and the rest verbatim.

    Raises Fault(upstream_garbage).
    """
    try:
        members = _members.decode(params)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"}) from None
    token = members.pop("progressToken", None)
    return (None if token is None else bytes(token)), _encode(members)


class _Cancelled(msgspec.Struct):
    requestId: msgspec.Raw


def cancelled_id(params: bytes) -> bytes | None:
    """Which request a `notifications/cancelled` means."""
    try:
        return bytes(msgspec.json.decode(params, type=_Cancelled).requestId)
    except (msgspec.MsgspecError, ValueError):
        return None
