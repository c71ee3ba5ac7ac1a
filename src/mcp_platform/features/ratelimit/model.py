"""Limits: how often which requests are answered."""

from typing import Literal

import msgspec

Subject = Literal["address", "principal", "everyone"]
"""Who shares one counter: an address that sent no good credential, a principal, or all callers together."""


class LimitRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A rule as a worker knows it."""

    name: str
    subject: Subject
    count: int
    """Requests in each period."""
    period_s: float
    burst: int
    """Requests that may come at one moment, when none came for a while."""
    endpoint: str = "*"
    """A path, a method of MCP, or `*` for all. `/mcp` is every endpoint of MCP, `/mcp/NAME` that one."""
    tool: str | None = None
    """`server/tool`, either side `*`: calls of these tools only."""
    principal: str | None = None
    """Id of the one principal that it is for; None: each."""
    shadow: bool = False
    """Counts and reports, never refuses."""
