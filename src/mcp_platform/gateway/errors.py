"""Refusals of the gateway itself."""

from mcp_platform.base.errors import define

PATH_UNKNOWN = define(
    "path_unknown",
    http=404,
    jsonrpc=-31404,
    text="Nothing is served at this path; MCP is at /mcp.",
    whose="caller",
)
METHOD_NOT_ALLOWED = define(
    "http_method_not_allowed",
    http=405,
    jsonrpc=-31405,
    text="This path takes other HTTP methods; MCP messages are sent by POST.",
    whose="caller",
)
CONTENT_TYPE_WRONG = define(
    "content_type_wrong",
    http=415,
    jsonrpc=-31415,
    text="MCP messages are sent as `Content-Type: application/json`.",
    whose="caller",
)
ACCEPT_WRONG = define(
    "accept_wrong",
    http=406,
    jsonrpc=-31406,
    text="The Accept header must list both application/json and text/event-stream.",
    whose="caller",
)
TOOL_UNKNOWN = define(
    "tool_unknown",
    http=400,
    jsonrpc=-32602,
    text="Unknown tool: no tool of this name is available to you; use a name from tools/list.",
    whose="caller",
)
PROMPT_UNKNOWN = define(
    "prompt_unknown",
    http=400,
    jsonrpc=-32602,
    text="Unknown prompt: no prompt of this name is available to you; use a name from prompts/list.",
    whose="caller",
)
RESOURCE_UNKNOWN = define(
    "resource_unknown",
    http=400,
    jsonrpc=-32602,
    text="Resource not found: no resource of this URI is available to you; use one from resources/list.",
    whose="caller",
)
RESOURCE_UNKNOWN_LEGACY = define(
    "resource_unknown_legacy",
    http=400,
    jsonrpc=-32002,
    text="Resource not found: no resource of this URI is available to you; use one from resources/list.",
    whose="caller",
)
TASK_UNKNOWN = define(
    "task_unknown",
    http=400,
    jsonrpc=-32602,
    text="Unknown task: no task of this id is yours; call the tool again.",
    whose="caller",
)
TASKS_NOT_SERVED = define(
    "tasks_not_served",
    http=400,
    jsonrpc=-32602,
    text="Tasks are served only as the extension io.modelcontextprotocol/tasks of 2026-07-28, to clients that declare "
    "it; call the tool without a task.",
    whose="caller",
)
CURSOR_INVALID = define(
    "list_cursor_invalid",
    http=400,
    jsonrpc=-32602,
    text="The cursor is not one that this list gave you; start again without a cursor.",
    whose="caller",
)
SESSION_MISSING = define(
    "session_missing",
    http=400,
    jsonrpc=-32600,
    text="Send `initialize` first and its Mcp-Session-Id from then on, or speak 2026-07-28 with its headers.",
    whose="caller",
)
SESSION_UNKNOWN = define(
    "session_unknown",
    http=404,
    jsonrpc=-32600,
    text="This session has ended or is not yours; send `initialize` again.",
    whose="caller",
)
CLIENT_TOO_LARGE = define(
    "client_account_too_large",
    http=400,
    jsonrpc=-32602,
    text="The client's capabilities and name together must stay under 8 KiB.",
    whose="caller",
)
RESPONSE_UNEXPECTED = define(
    "response_unexpected",
    http=400,
    jsonrpc=-32600,
    text="This is no response to a question of ours.",
    whose="caller",
)
STATE_INVALID = define(
    "request_state_invalid",
    http=400,
    jsonrpc=-32602,
    text="The requestState is not one that this call was given, was used already, or has expired; call the tool again.",
    whose="caller",
)
PARKED_GONE = define(
    "parked_call_gone",
    http=400,
    jsonrpc=-32602,
    text="The call that waited for this answer is gone (time ran out or a process restarted); call the tool again.",
    whose="platform",
)
PARKED_TOO_MANY = define(
    "parked_calls_too_many",
    http=429,
    jsonrpc=-31429,
    text="Too many of your calls wait for an answer; answer or drop some first.",
    whose="caller",
)
QUESTIONS_TOO_MANY = define(
    "upstream_asks_too_often",
    http=502,
    jsonrpc=-31510,
    text="The MCP server behind this tool asked for input more often than one call may.",
    whose="upstream",
)
REVOKED = define(
    "permission_revoked",
    http=403,
    jsonrpc=-31411,
    text="The credential or permission for this call was revoked while it ran; the call was cut off.",
    whose="caller",
)
CONTROL_SILENT = define(
    "control_unheard",
    http=503,
    jsonrpc=-31514,
    text="The gateway has not heard from control for too long and refuses; tell the operator.",
    whose="platform",
)
NOT_READY = define(
    "not_ready",
    http=503,
    jsonrpc=-31513,
    text="The gateway is starting and knows nobody yet; try again shortly.",
    whose="platform",
)
