"""Refusals that MCP and JSON-RPC themselves define, with the codes the specification gives them."""

from mcp_platform.base.errors import define

PARSE_ERROR = define(
    "json_invalid",
    http=400,
    jsonrpc=-32700,
    text="The body must be one JSON value in UTF-8 (RFC 8259); send valid JSON.",
    whose="caller",
)
DUPLICATE_KEY = define(
    "json_duplicate_key",
    http=400,
    jsonrpc=-32700,
    text="Every name in a JSON object must be unique; send each member once.",
    whose="caller",
)
TOO_DEEP = define(
    "json_too_deep",
    http=400,
    jsonrpc=-32700,
    text="The JSON is nested deeper than 128 levels; send a flatter value.",
    whose="caller",
)
TOO_COMPLEX = define(
    "json_too_complex",
    http=413,
    jsonrpc=-32700,
    text="The JSON has more members and elements than one message may have; split it.",
    whose="caller",
)
INVALID_REQUEST = define(
    "request_invalid",
    http=400,
    jsonrpc=-32600,
    text="The body must be one JSON-RPC 2.0 request or notification object of MCP.",
    whose="caller",
)
INVALID_PARAMS = define(
    "params_invalid",
    http=400,
    jsonrpc=-32602,
    text="The parameters do not have the form that this method expects.",
    whose="caller",
)
METHOD_NOT_FOUND = define(
    "method_not_found",
    http=404,
    jsonrpc=-32601,
    text="This method does not exist here in the protocol version of the request.",
    whose="caller",
)
HEADER_MISMATCH = define(
    "header_mismatch",
    http=400,
    jsonrpc=-32020,
    text="The MCP headers must be present and say the same as the body.",
    whose="caller",
)
CAPABILITY_MISSING = define(
    "client_capability_missing",
    http=400,
    jsonrpc=-32021,
    text="This call needs a client capability that the request does not declare.",
    whose="caller",
)
VERSION_UNSUPPORTED = define(
    "protocol_version_unsupported",
    http=400,
    jsonrpc=-32022,
    text="This protocol version is not served; choose one of the versions in data.supported.",
    whose="caller",
)
