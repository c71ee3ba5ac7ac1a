"""Why a platform does not start. Each is one line on the terminal and exit code 78 or 1."""

from mcp_platform.base.errors import define

ADDRESS_UNAVAILABLE = define(
    "address_unavailable",
    http=500,
    jsonrpc=-31570,
    text="A listening address cannot be used; see the settings gateway.host, gateway.port, console.host, console.port.",
    whose="caller",
)
DATA_FOLDER_UNUSABLE = define(
    "data_folder_unusable",
    http=500,
    jsonrpc=-31571,
    text="The data folder cannot be used: it must belong to the user who starts the platform, with mode 0700.",
    whose="caller",
)
NOT_INITIALISED = define(
    "not_initialised",
    http=500,
    jsonrpc=-31572,
    text="There is no platform in this data folder; run `mcp-platform init` first.",
    whose="caller",
)
START_FAILED = define(
    "start_failed",
    http=500,
    jsonrpc=-31573,
    text="A process of the platform ended each time it was started, so the platform never became ready; see its log.",
    whose="platform",
)
