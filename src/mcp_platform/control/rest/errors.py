"""What the REST API itself refuses."""

from mcp_platform.base.errors import define

API_UNKNOWN = define(
    "api_unknown",
    http=404,
    jsonrpc=-31480,
    text="The REST API has no such resource; /api/v1/openapi.json lists those there are.",
    whose="caller",
)
API_METHOD = define(
    "api_method",
    http=405,
    jsonrpc=-31481,
    text="This resource does not take that method; the Allow header lists those that it takes.",
    whose="caller",
)
API_STARTING = define(
    "api_starting",
    http=503,
    jsonrpc=-31482,
    text="The REST API has not started yet; try again in a moment.",
    whose="platform",
)
API_MEDIA_TYPE = define(
    "api_media_type",
    http=415,
    jsonrpc=-31483,
    text="The body must be JSON and be sent as `Content-Type: application/json`.",
    whose="caller",
)
API_BODY_UNEXPECTED = define(
    "api_body_unexpected",
    http=400,
    jsonrpc=-31484,
    text="This request takes no body; send none.",
    whose="caller",
)
API_IDEMPOTENCY = define(
    "api_idempotency",
    http=400,
    jsonrpc=-31485,
    text="Idempotency-Key is not supported yet, so it is refused: nothing was done. Send the request without it.",
    whose="caller",
)
CURSOR_INVALID = define(
    "cursor_invalid",
    http=400,
    jsonrpc=-31486,
    text="The cursor is not one that this list gave to this token for this question; begin again without it.",
    whose="caller",
)
STATE_CHANGED = define(
    "state_changed",
    http=412,
    jsonrpc=-31487,
    text="The resource is not in the state that If-Match names; read it again, then decide anew.",
    whose="caller",
)
STATE_MALFORMED = define(
    "state_malformed",
    http=400,
    jsonrpc=-31489,
    text="If-Match and If-None-Match hold `*`, or ETags as they were answered, in quotes and with commas between them.",
    whose="caller",
)
STATE_UNSAID = define(
    "state_unsaid",
    http=428,
    jsonrpc=-31488,
    text="Say by If-Match which state of the resource you mean: its ETag, or `*` for whatever it is now.",
    whose="caller",
)
