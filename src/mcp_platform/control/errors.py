"""What control itself refuses."""

from mcp_platform.base.errors import define

ACTION_UNKNOWN = define(
    "action_unknown",
    http=404,
    jsonrpc=-31460,
    text="Control knows no such action; the reference of actions lists those there are.",
    whose="caller",
)
ACTION_TOO_SLOW = define(
    "action_too_slow",
    http=504,
    jsonrpc=-31461,
    text="The action took longer than it may and was given up; see whether it took effect before you try again.",
    whose="platform",
)
REQUEST_MALFORMED = define(
    "request_malformed",
    http=400,
    jsonrpc=-31462,
    text='The request is not one line of JSON, at most 1 MiB, of the form {"action": "…", "params": {…}}.',
    whose="caller",
)
NAMES_UNKNOWN = define(
    "names_unknown",
    http=422,
    jsonrpc=-31464,
    text="A pattern names a server or tool that is not there, and `strict` was asked for.",
    whose="caller",
)
