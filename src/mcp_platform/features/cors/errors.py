"""Refusals before anything else is looked at: a page in somebody's browser must not reach the platform."""

from mcp_platform.base.errors import define

HOST_REFUSED = define(
    "host_refused",
    http=403,
    jsonrpc=-31421,
    text="The Host header names no address of this platform; set `gateway.public_url` or `gateway.allowed_hosts`.",
    whose="caller",
)
ORIGIN_REFUSED = define(
    "origin_refused",
    http=403,
    jsonrpc=-31422,
    text="Pages of this origin may not call the platform; the operator can add it to `gateway.allowed_origins`.",
    whose="caller",
)
PRIVATE_NETWORK_REFUSED = define(
    "private_network_refused",
    http=403,
    jsonrpc=-31423,
    text="A page of the public internet may not reach into a private network through a browser.",
    whose="caller",
)
CROSS_SITE_REFUSED = define(
    "cross_site_refused",
    http=403,
    jsonrpc=-31424,
    text="A browser sent this request for a page of another site; open the console in a tab of its own.",
    whose="caller",
)
