"""Refusals about how often."""

from mcp_platform.base.errors import define

RATE_LIMITED = define(
    "rate_limited",
    http=429,
    jsonrpc=-31430,
    text="Too many requests: wait as long as Retry-After or data.retryAfterMs says, then go on.",
    whose="caller",
)
ADDRESS_LIMITED = define(
    "address_limited",
    http=429,
    jsonrpc=-31431,
    text="Too many requests without a good credential from your address: check the credential, wait, then try again.",
    whose="caller",
)
