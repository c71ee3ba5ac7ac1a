"""What can be wrong with an admin token, as its holder sees it."""

from mcp_platform.base.errors import define

ADMIN_TOKEN_MISSING = define(
    "admin_token_missing",
    http=401,
    jsonrpc=-31490,
    text="No admin token was sent; make one (`mcp-platform token create`), send it as `Authorization: Bearer mcpa_…`.",
    whose="caller",
)
ADMIN_TOKEN_INVALID = define(
    "admin_token_invalid",
    http=401,
    jsonrpc=-31491,
    text="The token is not an admin token that is good here, or it was revoked; make one: `mcp-platform token create`.",
    whose="caller",
)
ADMIN_TOKEN_EXPIRED = define(
    "admin_token_expired",
    http=401,
    jsonrpc=-31492,
    text="The admin token has expired; make a new one with `mcp-platform token create`.",
    whose="caller",
)
ADMIN_TOKEN_FLOOD = define(
    "admin_token_flood",
    http=429,
    jsonrpc=-31493,
    text="Too many requests without a good admin token came from this address; a good one is taken all the same.",
    whose="caller",
)
