"""The paths where agents speak: the MCP endpoint of every revision since 2025-03-26, and the two of 2024-11-05 beside
it. Each has a place for an endpoint's name behind it: `/mcp/NAME`, `/sse/NAME`, `/messages/NAME`."""

from functools import lru_cache
from typing import NamedTuple

from mcp_platform.gateway.endpoints import MCP, name_of

SSE = "/sse"
"""2024-11-05: GET opens the stream."""
MESSAGES = "/messages"
"""2024-11-05: POST takes messages to an open stream."""
METHODS = {MCP: ("GET", "POST", "DELETE"), SSE: ("GET",), MESSAGES: ("POST",)}


class Place(NamedTuple):
    """Where a request goes."""

    kind: str
    """MCP, SSE or MESSAGES."""
    name: str
    """Name of the endpoint; empty for the one that holds everything."""


@lru_cache(maxsize=256)  # asked several times for each request
def place_of(path: str) -> Place | None:
    """None where agents have nothing to ask."""
    for kind in METHODS:
        if path == kind or path.startswith(kind + "/"):
            name = name_of(MCP + path[len(kind) :])
            return None if name is None else Place(kind, name)
    return None


def endpoint_name(path: str) -> str:
    """The name of the endpoint that is asked for, there or not; empty where it is `/mcp`, or none can be."""
    if path == MCP:
        return ""
    place = place_of(path)
    return "" if place is None else place.name


def mcp_path(name: str) -> str:
    """Where the endpoint of that name is, by its first name of all."""
    return f"{MCP}/{name}" if name else MCP


def messages_path(name: str) -> str:
    """Where messages for the streams of that endpoint are posted."""
    return f"{MESSAGES}/{name}" if name else MESSAGES
