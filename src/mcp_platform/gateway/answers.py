"""Answers as bytes, in the dialect of the client's era.

Before a message can be attributed, a refusal is an HTTP status. After that a legacy client gets HTTP 200 with the
JSON-RPC error (the Python 1.x client gives up on 403, 429 and 503 to tools/call), a modern one the status that
2026-07-28 names, with the same body.
"""

import math
from typing import Any

import msgspec

from mcp_platform import __version__
from mcp_platform.base.errors import Fault
from mcp_platform.features.apikeys.errors import CREDENTIAL_MISSING
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE
from mcp_platform.wire import json_text, jsonrpc
from mcp_platform.wire.versions import SERVER_INFO_KEY

SERVER_INFO = {"name": "mcp-platform", "title": "MCP Platform", "version": __version__}
INSTRUCTIONS = "Tools of several MCP servers behind one gateway. Names are stable; a name may carry its server's name."
JSON = "application/json"
EVENTS = "text/event-stream"
STREAM_HEADERS = b"X-Accel-Buffering: no\r\n"
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SERVER_INFO_JSON = _encode({SERVER_INFO_KEY: SERVER_INFO})
_COMPLETE = b'{"resultType":"complete","_meta":' + _SERVER_INFO_JSON
_IS_COMPLETE = msgspec.Raw(b'"complete"')
_ONLY_MODERN = frozenset({"resultType", "ttlMs", "cacheScope"})
"""Members of results that came with 2026-07-28."""
_STATUS = {-32700: 400, -32600: 400, -32602: 400, -32601: 404, -32020: 400, -32021: 400, -32022: 400}
"""HTTP status of an error that an upstream answered, for a modern client (2026-07-28; unlisted codes: 200)."""


def fault_body(fault: Fault, identity: jsonrpc.Id | None, error_id: str | None = None) -> bytes:
    """The JSON-RPC error of a refusal. Of a server behind us an agent learns what kind of trouble it is; where it
    stands, and what the system or its certificate said, is for the operator."""
    behind_us = fault.kind.whose == "upstream" or "stage" in fault.data
    data: dict[str, object] = {"error": fault.kind.code, "whose": fault.kind.whose, **({} if behind_us else fault.data)}
    if fault.retry_after_s is not None:
        data["retryAfterMs"] = math.ceil(fault.retry_after_s * 1000)
    if error_id is not None:
        data["errorId"] = error_id
    text = fault.kind.text if behind_us else fault.text
    return jsonrpc.error(identity, jsonrpc.error_object(fault.kind.jsonrpc, text, data))


def fault_headers(fault: Fault) -> bytes:
    """Header lines that go with a refusal."""
    lines = b""
    if fault.kind.http == 401:
        # RFC 6750 §3.1: whoever sent nothing is told no error.
        error = b"" if fault.kind is CREDENTIAL_MISSING else b', error="invalid_token"'
        lines += b'WWW-Authenticate: Bearer realm="mcp-platform"' + error + b"\r\n"
    if fault.kind.http == 405:
        lines += allow_line(("GET", "POST", "DELETE"))
    if fault.retry_after_s is not None:
        lines += b"Retry-After: %d\r\n" % max(1, math.ceil(fault.retry_after_s))
    return lines


def allow_line(methods: tuple[str, ...]) -> bytes:
    """The HTTP methods that a path takes."""
    return f"Allow: {', '.join((*methods, 'OPTIONS'))}\r\n".encode()


def status_of(fault: Fault, *, modern: bool, attributed: bool) -> int:
    """See the module."""
    return fault.kind.http if modern or not attributed else 200


def tool_error(text: str, code: str, data: dict[str, object], *, modern: bool) -> bytes:
    """A tool result that says what was wrong with the arguments, for a model to read and do better."""
    meta: dict[str, Any] = {"mcp-platform/error": {"error": code, **data}}
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True, "_meta": meta}
    if modern:
        meta[SERVER_INFO_KEY] = SERVER_INFO
        result["resultType"] = "complete"
    return _encode(result)


def complete(value: dict[str, Any], *, modern: bool, meta: dict[str, Any] | None = None) -> bytes:
    """A result of our own, with `meta` in its `_meta`."""
    if modern:
        value = {"resultType": "complete", **value, "_meta": {SERVER_INFO_KEY: SERVER_INFO, **(meta or {})}}
    elif meta:
        value = {**value, "_meta": meta}
    return _encode(value)


def relayed_result(answer: Answer, method: str, *, modern: bool) -> tuple[bytes, bool]:
    """An upstream's result in the client's dialect, otherwise verbatim, and whether it says that the tool failed.
    Raises Fault(upstream_garbage)."""
    try:
        result = json_text.one_line(answer.result or b"")
        members = _members.decode(result)
        str(result, "utf-8")
    except (msgspec.MsgspecError, ValueError):
        raise Fault(UPSTREAM_GARBAGE) from None
    failed = "isError" in members and bytes(members["isError"]) == b"true"
    if not modern:
        return (_encode(_legacy(members)) if not _ONLY_MODERN.isdisjoint(members) else result), failed
    if method == "resources/read":
        return _encode(_cached_by_nobody_else(members)), failed
    if "resultType" in members:
        return result, failed
    if "_meta" in members:
        return _encode({"resultType": "complete", **members}), failed
    return (_COMPLETE + b"," + result.lstrip()[1:] if members else _COMPLETE + b"}"), failed


def _legacy(members: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """Without what older revisions do not know."""
    return {name: value for name, value in members.items() if name not in _ONLY_MODERN}


def _cached_by_nobody_else(members: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """With caching hints, which 2026-07-28 demands here: an older server gives none, and whatever a server says, who
    may read a resource is decided for each principal."""
    if bytes(members.get("resultType", _IS_COMPLETE)) != bytes(_IS_COMPLETE):
        return members
    members.setdefault("ttlMs", msgspec.Raw(b"0"))
    return {"resultType": _IS_COMPLETE, **members, "cacheScope": msgspec.Raw(b'"private"')}


def relayed_error(answer: Answer, *, modern: bool) -> tuple[int, bytes, int]:
    """HTTP status, error object and its code, of an upstream's error. -32002 and -32042 mean nothing to a modern
    client: they become -32602 (2026-07-28, basic). Raises Fault(upstream_garbage)."""
    try:
        members = _members.decode(answer.error or b"")
        str(answer.error or b"", "utf-8")
        code = msgspec.json.decode(members.get("code", b""), type=int)
    except (msgspec.MsgspecError, ValueError):
        raise Fault(UPSTREAM_GARBAGE) from None
    if not modern:
        return 200, _encode(members), code
    if code in (-32002, -32042):
        code = -32602
        members["code"] = msgspec.Raw(b"-32602")
    return _STATUS.get(code, 200), _encode(members), code


def event(data: bytes) -> bytes:
    """One server-sent event. JSON of ours holds no line break."""
    return b"event: message\ndata: " + data + b"\n\n"
