"""Refusals about event streams, subscriptions, batches and the two endpoints of 2024-11-05."""

from mcp_platform.base.errors import define

STREAM_ACCEPT_WRONG = define(
    "stream_accept_wrong",
    http=406,
    jsonrpc=-31416,
    text="A GET opens an event stream: its Accept header must list text/event-stream.",
    whose="caller",
)
STREAMS_TOO_MANY = define(
    "streams_too_many",
    http=429,
    jsonrpc=-31441,
    text="Too many of your event streams are open; close some first.",
    whose="caller",
)
SUBSCRIPTIONS_TOO_MANY = define(
    "subscriptions_too_many",
    http=429,
    jsonrpc=-31442,
    text="Too many resources are subscribed to by this session or stream; unsubscribe from some first.",
    whose="caller",
)
CHANGES_NOT_TOLD = define(
    "resource_changes_not_told",
    http=400,
    jsonrpc=-32602,
    text="The server of this resource does not tell of changes of it; read it again instead.",
    whose="upstream",
)
CALL_LOST = define(
    "call_lost",
    http=400,
    jsonrpc=-32603,
    text="The stream of this call is gone (time ran out or a process restarted); whether it was executed shows in the "
    "record. Call again.",
    whose="platform",
)
OWNER_AWAY = define(
    "session_worker_away",
    http=503,
    jsonrpc=-31516,
    text="The process that holds this session's streams is restarting; try again shortly.",
    whose="platform",
)
BATCH_REFUSED = define(
    "batch_refused",
    http=400,
    jsonrpc=-32600,
    text="Batches exist only in sessions of 2025-03-26; send one message in each request.",
    whose="caller",
)
BATCH_WRONG = define(
    "batch_invalid",
    http=400,
    jsonrpc=-32600,
    text="A batch is an array of 1 to 32 messages.",
    whose="caller",
)
BATCH_INITIALIZE = define(
    "batch_initialize",
    http=400,
    jsonrpc=-32600,
    text="`initialize` must not be part of a batch; send it alone.",
    whose="caller",
)
ENDPOINT_UNKNOWN = define(
    "message_endpoint_unknown",
    http=404,
    jsonrpc=-32600,
    text="No open event stream of yours has this message endpoint; open the stream again.",
    whose="caller",
)
MESSAGES_TOO_MANY = define(
    "messages_too_many",
    http=429,
    jsonrpc=-31443,
    text="Too many messages of this event stream are being answered; wait for some answers first.",
    whose="caller",
)
