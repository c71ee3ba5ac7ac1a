"""What is said of single tools, over REST."""

from typing import Annotated

import msgspec

from mcp_platform.features.toolpolicy.actions import ACTIONS
from mcp_platform.features.upstreams.errors import SERVER_UNKNOWN, TOOL_NOT_THERE
from mcp_platform.store.route import Changed, Route, by_name

_OF = by_name(ACTIONS)


class MarkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to say of which of the server's tools."""

    tool: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    """The server's own name for it."""
    read_only: bool


class Marked(Changed, frozen=True, kw_only=True):
    """What is said of the tool now."""

    server: str
    tool: str
    read_only: bool


ROUTES = (
    Route(
        "POST",
        "/servers/{server}/mark",
        _OF["tool.mark"],
        Marked,
        body=MarkBody,
        example={"tool": "get_current_time", "read_only": True},
        refusals=(SERVER_UNKNOWN, TOOL_NOT_THERE),
    ),
)
