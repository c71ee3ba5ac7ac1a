"""A refusal as RFC 9457 has it. The caller sees code, safe sentence and error id; the log has the cause."""

from typing import Annotated, Any

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.base.ids import new_id
from mcp_platform.base.log import Log

MEDIA_TYPE = "application/problem+json"
DOCS = "/docs/reference/errors#"
"""Where the reference explains a code."""
_log = Log("control.rest")


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, rename={"error_id": "errorId"}):
    """What went wrong (RFC 9457)."""

    type: str
    """A URL path of the documentation, one for each code."""
    title: str
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    detail: str
    code: str
    """Stable, for programs."""
    error_id: str
    """Stands in the platform's log beside the cause."""
    data: dict[str, Any] = {}
    """More, for programs: a stage, a limit."""


def problem(fault: Fault, *, address: str = "") -> tuple[int, bytes, bytes]:
    """Status, header lines and body. Logged under the id that the body has."""
    kind = fault.kind
    error_id = new_id("err")
    _log.info("refused", code=kind.code, error_id=error_id, address=address)
    body = msgspec.json.encode(
        Problem(
            type=DOCS + kind.code,
            title=kind.text,
            status=kind.http,
            detail=fault.text,
            code=kind.code,
            error_id=error_id,
            data=fault.data,
        )
    )
    lines = b""
    if kind.http == 401:
        error = b"" if kind.code.endswith("_missing") else b', error="invalid_token"'
        lines += b'WWW-Authenticate: Bearer realm="mcp-platform"%b\r\n' % error
    if fault.retry_after_s is not None:
        lines += b"Retry-After: %d\r\n" % max(1, round(fault.retry_after_s))
    return kind.http, lines, body
