"""What pages of other origins may send to an endpoint for agents, and what they may read of its answers.

Never a wildcard, and never credentials: cookies mean nothing there, and a page sends its key itself.
"""

METHODS = "GET, POST, DELETE, OPTIONS"
REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Accept",
    "Mcp-Protocol-Version",
    "Mcp-Session-Id",
    "Mcp-Method",
    "Mcp-Name",
    "Last-Event-ID",
)
"""What clients of every era send. `Mcp-Param-…` (2026-07-28) is allowed by name, as each preflight asks for it."""
ANSWER_HEADERS = ("Mcp-Session-Id", "WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy")
"""What a page may read beside the body: without them it could neither sign in nor wait as told."""
PREFLIGHT_S = 600
"""Seconds a browser may remember a preflight. Only the preflight: each request itself is judged anew."""
MAX_PARAM_HEADERS = 32
"""`Mcp-Param-…` names in one preflight that are looked at: tools mark a handful of arguments."""
