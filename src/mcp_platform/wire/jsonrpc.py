"""JSON-RPC 2.0 messages of MCP as values. No I/O; nothing here knows which side we are."""

from typing import Any

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.wire import json_text
from mcp_platform.wire.errors import INVALID_PARAMS, INVALID_REQUEST

Id = str | int


class Envelope(msgspec.Struct):
    """The members of any JSON-RPC message. An `id` of null is no MCP id and is refused."""

    jsonrpc: str = ""
    method: str | msgspec.UnsetType = msgspec.UNSET
    id: str | int | msgspec.UnsetType = msgspec.UNSET
    params: dict[str, msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Message(msgspec.Struct, frozen=True):
    """One message from a client, decoded once: values to decide on, and the same bytes verbatim to pass on."""

    kind: str
    """`request`, `notification` or `response`."""
    method: str
    id: Id | None
    params: dict[str, Any]
    raw: dict[str, msgspec.Raw]
    """The members of params as they were sent (numbers keep their text), without line breaks between tokens."""
    result: bytes | None = None
    error: bytes | None = None


_envelope = msgspec.json.Decoder(Envelope)
_encode = msgspec.json.Encoder().encode


def parse(body: bytes) -> Message:
    """The one message in `body`. Raises Fault(json_*, request_invalid, params_invalid)."""
    value = json_text.decode(body)
    if not isinstance(value, dict):
        raise Fault(INVALID_REQUEST)
    try:
        envelope = _envelope.decode(json_text.one_line(body))
    except (msgspec.MsgspecError, ValueError):
        raise Fault(*_what_is_wrong(value)) from None
    if envelope.jsonrpc != "2.0":
        raise Fault(INVALID_REQUEST)
    return _message(envelope, value)


def _message(envelope: Envelope, value: dict[str, Any]) -> Message:
    identity = None if envelope.id is msgspec.UNSET else envelope.id
    if envelope.method is not msgspec.UNSET:
        params = value.get("params", {})
        raw = {} if envelope.params is msgspec.UNSET else envelope.params
        kind = "notification" if identity is None else "request"
        return Message(kind=kind, method=envelope.method, id=identity, params=params, raw=raw)
    result = None if envelope.result is msgspec.UNSET else bytes(envelope.result)
    error = None if envelope.error is msgspec.UNSET else bytes(envelope.error)
    if identity is None or (result is None) == (error is None):
        raise Fault(INVALID_REQUEST)
    return Message(kind="response", method="", id=identity, params={}, raw={}, result=result, error=error)


def _what_is_wrong(value: dict[str, Any]) -> tuple[Any]:
    """A request whose only fault is that `params` is no object is told so; everything else is no request."""
    fine = value.get("jsonrpc") == "2.0" and isinstance(value.get("method"), str)
    if fine and type(value.get("id", 0)) in (str, int) and not isinstance(value.get("params", {}), dict):
        return (INVALID_PARAMS,)
    return (INVALID_REQUEST,)


def id_of(body: bytes) -> Id | None:
    """The id of a message that was refused, where it can still be told; for the answer to name it."""
    try:
        envelope = msgspec.json.decode(body, type=_OnlyId)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return None if envelope.id is msgspec.UNSET else envelope.id


class _OnlyId(msgspec.Struct):
    id: str | int | msgspec.UnsetType = msgspec.UNSET


def request(identity: Id, method: str, params: dict[str, Any]) -> bytes:
    """A request; values of `params` may be `msgspec.Raw`."""
    return _encode({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})


def notification(method: str, params: bytes) -> bytes:
    """A notification with `params` as ready JSON."""
    return _encode({"jsonrpc": "2.0", "method": method, "params": msgspec.Raw(params)})


def result(identity: Id, value: bytes) -> bytes:
    """A response with `value` as ready JSON."""
    return b'{"jsonrpc":"2.0","id":' + _encode(identity) + b',"result":' + value + b"}"


def error(identity: Id | None, value: bytes) -> bytes:
    """An error response with `value` as ready JSON of the error object. Without an id the member is left out: an MCP
    id is never null (2025-11-25 schema, RequestId)."""
    head = b'{"jsonrpc":"2.0",' if identity is None else b'{"jsonrpc":"2.0","id":' + _encode(identity) + b","
    return head + b'"error":' + value + b"}"


def error_object(code: int, message: str, data: dict[str, object]) -> bytes:
    """The JSON of an error object."""
    return _encode({"code": code, "message": message, "data": data})
