"""What can go wrong when the record is searched."""

from mcp_platform.base.errors import define

QUERY_INVALID = define(
    "query_invalid",
    http=422,
    jsonrpc=-31470,
    text="The query is not of the form: field:value … words since:24h until:2026-11-22; see `audit search --help`.",
    whose="caller",
)
SEARCH_TOO_WIDE = define(
    "search_too_wide",
    http=503,
    jsonrpc=-31471,
    text="The search took longer than it may; narrow it with since: and until:, or with another field.",
    whose="caller",
)
RECORD_UNAVAILABLE = define(
    "record_unavailable",
    http=503,
    jsonrpc=-31472,
    text="The searchable copy of the record cannot be read now; the journal itself is not concerned. See the log.",
    whose="platform",
)
