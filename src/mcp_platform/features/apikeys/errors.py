"""What can be wrong with an API key, as its holder sees it."""

from mcp_platform.base.errors import define

CREDENTIAL_MISSING = define(
    "credential_missing",
    http=401,
    jsonrpc=-31401,
    text="No credential was sent; send an API key as `Authorization: Bearer mcpp_…`.",
    whose="caller",
)
KEY_INVALID = define(
    "key_invalid",
    http=401,
    jsonrpc=-31402,
    text="The API key is not one that this platform accepts; check it for missing characters or ask for a new one.",
    whose="caller",
)
KEY_EXPIRED = define(
    "key_expired",
    http=401,
    jsonrpc=-31403,
    text="The API key has expired; ask the operator for a new one.",
    whose="caller",
)
