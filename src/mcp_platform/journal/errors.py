"""What can go wrong with the journal."""

from mcp_platform.base.errors import define

JOURNAL_UNAVAILABLE = define(
    "journal_unavailable",
    http=503,
    jsonrpc=-31530,
    text="The call cannot be recorded now, so it is not made; try again shortly.",
    whose="platform",
)
OUTCOME_NOT_RECORDED = define(
    "outcome_not_recorded",
    http=503,
    jsonrpc=-31531,
    text="The call was made, but its outcome could not be recorded in time, so its result is withheld.",
    whose="platform",
)
JOURNAL_KEY_INVALID = define(
    "journal_key_invalid",
    http=500,
    jsonrpc=-31532,
    text="The journal's public key is missing or is not 32 bytes; give the file that `init` wrote to DATA/keys.",
    whose="caller",
)
JOURNAL_FOLDER_MISSING = define(
    "journal_folder_missing",
    http=404,
    jsonrpc=-31533,
    text="There is no segment of a journal here; give a data folder, or the folder `journal` of one.",
    whose="caller",
)
