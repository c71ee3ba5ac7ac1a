"""What can go wrong on the way to another place."""

from mcp_platform.base.errors import define

ANCHOR_FAILED = define(
    "anchor_failed",
    http=502,
    jsonrpc=-31474,
    text="The checkpoint could not be taken to that place; `stage` says how far it got, and the log says why.",
    whose="platform",
)
ANCHOR_PLACE_INVALID = define(
    "anchor_place_invalid",
    http=422,
    jsonrpc=-31475,
    text="A place is file:/path, syslog+unix:/path, syslog+udp://host:port, syslog+tcp://host:port or "
    "s3+https://endpoint/bucket/prefix?region=NAME&credentials=/path.",
    whose="caller",
)
ANCHOR_PLACE_FORBIDDEN = define(
    "anchor_place_forbidden",
    http=403,
    jsonrpc=-31476,
    text="Only the platform's own user names other places; everybody else anchors to those in journal.anchors.",
    whose="caller",
)
ANCHOR_NOTHING = define(
    "anchor_nothing",
    http=409,
    jsonrpc=-31477,
    text="There is no checkpoint yet, or no place to take it to: set journal.anchors or name one with --to.",
    whose="caller",
)
