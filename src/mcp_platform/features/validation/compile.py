"""Whether a tool's input schema can be enforced, asked once, when its server is added."""

from mcp_platform.base.errors import Fault
from mcp_platform.features.validation.check import ArgumentSchema


def schema_problem(input_schema: bytes) -> str | None:
    """Why agents cannot be given a tool with this schema; None where they can."""
    try:
        ArgumentSchema(input_schema)
    except Fault as fault:
        return fault.text
    return None
