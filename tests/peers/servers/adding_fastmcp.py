"""A server with one tool on FastMCP 4; run by `fastmcp run` of the peer `fastmcp`."""

from fastmcp import FastMCP

mcp = FastMCP("adding")


@mcp.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b
