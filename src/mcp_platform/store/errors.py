"""What can go wrong with the database."""

from mcp_platform.base.errors import define

SCHEMA_NEWER = define(
    "schema_newer",
    http=500,
    jsonrpc=-31580,
    text="The database was written by a newer version of the platform; run that version or restore a backup.",
    whose="caller",
)
SCHEMA_OLDER = define(
    "schema_older",
    http=500,
    jsonrpc=-31581,
    text="The database has an older form than this version needs; start `mcp-platform serve`, which brings it up.",
    whose="caller",
)
STORE_FAILED = define(
    "store_failed",
    http=503,
    jsonrpc=-31582,
    text="The database did not take the change, so nothing was changed; see the log, and the disk's free space.",
    whose="platform",
)
STORE_BUSY = define(
    "store_busy",
    http=503,
    jsonrpc=-31583,
    text="Another program holds the database; try again shortly.",
    whose="platform",
)
