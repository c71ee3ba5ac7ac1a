"""The refusals of the HTTP server: what is wrong with a request before any application sees it."""

from mcp_platform.base.errors import define

HTTP_MALFORMED = define(
    "http_malformed",
    http=400,
    jsonrpc=-31400,
    text="The request is not well-formed HTTP/1.1; see RFC 9112.",
    whose="caller",
)
HTTP_TARGET = define(
    "http_target_invalid",
    http=400,
    jsonrpc=-31601,
    text="The request target must be an absolute path without dot segments, encoded slashes or control characters.",
    whose="caller",
)
HTTP_HOST = define(
    "http_host_invalid",
    http=400,
    jsonrpc=-31602,
    text="Exactly one Host header with a host name or address is required.",
    whose="caller",
)
HTTP_DUPLICATE = define(
    "http_header_duplicate",
    http=400,
    jsonrpc=-31603,
    text="A header that may stand once stands twice; send it once.",
    whose="caller",
)
HTTP_FRAMING = define(
    "http_framing_refused",
    http=400,
    jsonrpc=-31604,
    text="The length of the body is ambiguous; send one Content-Length, or only `Transfer-Encoding: chunked`.",
    whose="caller",
)
HTTP_CHUNK = define(
    "http_chunk_invalid",
    http=400,
    jsonrpc=-31605,
    text="The chunked body is not well-formed, or has chunk extensions or trailers, which are not taken.",
    whose="caller",
)
HTTP_METHOD = define(
    "http_method_refused",
    http=405,
    jsonrpc=-31606,
    text="This HTTP method is not served.",
    whose="caller",
)
HTTP_TIMEOUT = define(
    "http_request_timeout",
    http=408,
    jsonrpc=-31408,
    text="The request did not arrive completely in time; send it again, faster.",
    whose="caller",
)
HTTP_BODY_TOO_LARGE = define(
    "http_body_too_large",
    http=413,
    jsonrpc=-31413,
    text="The request body is larger than is taken here; send less.",
    whose="caller",
)
HTTP_TARGET_TOO_LONG = define(
    "http_target_too_long",
    http=414,
    jsonrpc=-31414,
    text="The request line is longer than is taken here; shorten the path and query.",
    whose="caller",
)
HTTP_EXPECTATION = define(
    "http_expectation_failed",
    http=417,
    jsonrpc=-31417,
    text="Only `Expect: 100-continue` is understood.",
    whose="caller",
)
HTTP_HEADERS_TOO_LARGE = define(
    "http_headers_too_large",
    http=431,
    jsonrpc=-31631,
    text="The request has more header lines or header bytes than are taken here; send fewer.",
    whose="caller",
)
HTTP_ADDRESS_BUSY = define(
    "http_address_connections",
    http=429,
    jsonrpc=-31629,
    text="Too many connections from this address are open; close some or reuse them.",
    whose="caller",
)
HTTP_BUSY = define(
    "http_connections",
    http=503,
    jsonrpc=-31630,
    text="Too many connections or unfinished requests are open here; try again shortly.",
    whose="platform",
)
HTTP_VERSION = define(
    "http_version_refused",
    http=505,
    jsonrpc=-31650,
    text="Only HTTP/1.1 and HTTP/1.0 are spoken here.",
    whose="caller",
)
